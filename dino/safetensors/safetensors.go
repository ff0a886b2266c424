package safetensors

import (
	"fmt"
	"math"
)

// Type is the element type of a tensor, by its name in the file format.
type Type string

// The element types this package reads and writes.
const (
	F64  Type = "F64"
	F32  Type = "F32"
	F16  Type = "F16"
	BF16 Type = "BF16"
	I64  Type = "I64"
	I32  Type = "I32"
	I16  Type = "I16"
	I8   Type = "I8"
	U64  Type = "U64"
	U32  Type = "U32"
	U16  Type = "U16"
	U8   Type = "U8"
	Bool Type = "BOOL"
)

// Size returns the bytes of one element, 0 for an unknown type.
func (t Type) Size() int {
	switch t {
	case F64, I64, U64:
		return 8
	case F32, I32, U32:
		return 4
	case F16, BF16, I16, U16:
		return 2
	case I8, U8, Bool:
		return 1
	}
	return 0
}

// metadataKey is the header entry that holds the file's string metadata.
const metadataKey = "__metadata__"

// byteSize returns the bytes of a tensor, checked against overflow.
func byteSize(t Type, shape []int) (int64, error) {
	size := int64(t.Size())
	if size == 0 {
		return 0, fmt.Errorf("unknown type %q", string(t))
	}
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in shape %v", shape)
		}
		if d != 0 && size > math.MaxInt64/int64(d) {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		size *= int64(d)
	}
	return size, nil
}
