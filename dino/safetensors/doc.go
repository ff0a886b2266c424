// Package safetensors reads and writes the safetensors file format: an 8-byte
// little-endian header length, a JSON header naming every tensor with its
// type, shape and byte range, and the tensors' bytes, little-endian, row-major
// (https://huggingface.co/docs/safetensors).
//
// Both directions stream, so a file never has to fit in memory twice, and
// equal tensors and metadata always give equal bytes. Files are untrusted:
// everything a header claims is checked against the file's size before memory
// is taken. The package is this project's own because the public one for Go
// (github.com/nlpodyssey/safetensors) wants a file, or all tensors, in memory.
package safetensors
