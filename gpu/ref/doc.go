// Package ref holds slow and plain references of the GPU's operations, in
// float64 or in exact integers. Only tests use it.
package ref
