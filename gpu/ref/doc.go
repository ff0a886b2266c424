// Package ref holds slow and plain references of the GPU's operations, in
// float64 or in exact integers: what tests compare with, and what the host
// computes once.
package ref
