// Package op holds the tensor operations: one file each, with its kernel's
// variants, the recording of its forward and, right below, of its backward.
//
// Operations are recorded on a Tape. A model writes its forward only; every
// operation pushes its own backward, and Tape.Backward records those in
// reverse order.
package op
