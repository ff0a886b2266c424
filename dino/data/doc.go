// Package data finds pictures, decodes them and deals them into batches.
//
// A Source is a numbered set of pictures in an order that never changes, so
// that a picture's number can key its randomness. Open makes one from whatever
// a path names: a folder, a list file, a tar, CIFAR or IDX binaries, or the
// generated set "shapes". What can be read is settled there, from the headers
// alone: Open says which files it had to leave out and how large the largest
// decoded picture will be, before a device is touched.
//
// A Sampler turns (seed, step) into the numbers of a batch, and a Loader
// decodes such batches in parallel, a bounded way ahead, and hands them over in
// order. Neither the number of workers nor their speed changes what arrives.
//
// Files are treated as hostile: a header's claims are checked before memory is
// taken, a decoder's panic becomes an error, and a picture that cannot be
// decoded is replaced by the next one that can, and reported once.
package data
