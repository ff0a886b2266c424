// Package pth reads and writes the files of PyTorch's torch.save: a zip of one
// pickle, which describes nested dicts, lists and tensors, and a record of raw
// bytes for each storage that the tensors are views of
// (https://pytorch.org/docs/stable/notes/serialization.html). The older format,
// pickles and storages one after another, is read too.
//
// Files are untrusted. A pickle is a program, but this reader has no way to
// call anything: it knows the few instructions that torch.save writes and the
// few classes that checkpoints hold, and refuses everything else by name. What
// a file claims is checked before memory is taken, the pickle itself is
// bounded, and a tensor's bytes are read when they are asked for.
//
// The pickle reader is this package's own: the public one for Go that knows
// OrderedDict (github.com/nlpodyssey/gopickle) takes whatever memory a length
// claims, panics on odd instructions and prints whole objects into its errors,
// so that checking its input first would need a reader as long as this one.
package pth
