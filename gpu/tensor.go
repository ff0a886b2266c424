package gpu

import "fmt"

// Type is the type of a tensor's elements.
type Type uint8

// Element types. F16 and BF16 take two bytes, the others four. Kernels read
// and write those of two bytes by fours, which needs no feature of the device,
// so that their rows must be multiples of four elements
// (shaders/include/types.glsl).
const (
	F32 Type = iota
	U32
	I32
	F16  // IEEE 754: 5 bits of exponent, 10 of fraction
	BF16 // the upper half of an F32: 8 and 7
)

// Narrow reports whether elements take two bytes.
func (t Type) Narrow() bool { return t == F16 || t == BF16 }

func (t Type) String() string { return [...]string{"f32", "u32", "i32", "f16", "bf16"}[t] }

// Bytes is the size of an element.
func (t Type) Bytes() int {
	if t.Narrow() {
		return 2
	}
	return wordBytes
}

const (
	wordBytes  = 4
	texelBytes = 4 * wordBytes
)

// viewAlign is the alignment in bytes of every tensor and of every view that
// a kernel can be given: the largest minStorageBufferOffsetAlignment that
// Vulkan allows.
const viewAlign = 256

// Tensor is a dense row-major array, or a view of one. Its memory belongs to
// a Graph (scratch that the planner places) or to a Store.
type Tensor struct {
	Name  string
	Shape []int
	Type  Type

	mem *memory
	off int64 // bytes from the start of mem
	err error // what was wrong with the view; Dispatch reports it
}

// memory is what tensors are views of.
type memory struct {
	name  string
	bytes int64
	owner any // the *Graph or *Store that it belongs to
	index int // its number there
	host  bool
	twin  *Tensor // of an input: where the host puts what goes into it
	guard int64   // bytes of guard band before and behind
}

// Len is the number of elements.
func (t *Tensor) Len() int { return product(t.Shape) }

// Bytes is the size in bytes.
func (t *Tensor) Bytes() int64 { return int64(t.Len()) * int64(t.Type.Bytes()) }

// Dim is the extent of axis i, counted from the end where i is negative.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.Shape)
	}
	return t.Shape[i]
}

// String gives name and shape.
func (t *Tensor) String() string { return fmt.Sprintf("%s%v", t.Name, t.Shape) }

// Rows is a view of n rows (leading axis) from row i on. A kernel can be given
// the view only if it begins at a multiple of 256 bytes.
func (t *Tensor) Rows(i, n int) *Tensor {
	v := *t
	if len(t.Shape) == 0 || i < 0 || n < 0 || i+n > t.Shape[0] {
		v.err = fmt.Errorf("rows %d to %d of %v", i, i+n, t)
		return &v
	}
	row := product(t.Shape[1:])
	v.Shape = append([]int{n}, t.Shape[1:]...)
	v.off += int64(i) * int64(row) * int64(t.Type.Bytes())
	return &v
}

// Reshape is a view of the same elements in another shape.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	v := *t
	v.Shape = append([]int(nil), shape...)
	if product(shape) != t.Len() && v.err == nil {
		v.err = fmt.Errorf("reshape of %v to %v", t, shape)
	}
	return &v
}

// Slice is a view of the elements from i on as the given shape.
func (t *Tensor) Slice(i int, shape ...int) *Tensor {
	return t.Reshape(t.Len()).Rows(i, product(shape)).Reshape(shape...)
}

// As is the same tensor under another name.
func (t *Tensor) As(name string) *Tensor {
	v := *t
	v.Name = name
	return &v
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func alignUp(n, to int64) int64 { return (n + to - 1) / to * to }

// Range identifies the elements that a tensor views: two tensors with the same
// Range are the same elements, perhaps in another shape.
type Range struct {
	mem        *memory
	begin, end int64
}

// Range is the range of memory that t views.
func (t *Tensor) Range() Range { return Range{t.mem, t.off, t.off + t.Bytes()} }
