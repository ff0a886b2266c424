package pth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"dino-vk/dino/safetensors"
)

// storageTypes are the classes of storages with their elements' types.
var storageTypes = map[string]safetensors.Type{
	"torch.DoubleStorage": safetensors.F64, "torch.FloatStorage": safetensors.F32,
	"torch.HalfStorage": safetensors.F16, "torch.BFloat16Storage": safetensors.BF16,
	"torch.LongStorage": safetensors.I64, "torch.IntStorage": safetensors.I32,
	"torch.ShortStorage": safetensors.I16, "torch.CharStorage": safetensors.I8,
	"torch.ByteStorage": safetensors.U8, "torch.BoolStorage": safetensors.Bool,
}

// storage is a flat array that tensors are views of.
type storage struct {
	dtype    safetensors.Type
	elements int
	// open returns the bytes, at least as many as the elements take.
	open func() (io.ReadCloser, error)
}

// Tensor is a view of a storage in a file.
type Tensor struct {
	Type  safetensors.Type
	Shape []int

	storage *storage
	offset  int   // elements
	stride  []int // elements
	span    int   // elements from the first to the last
}

// maxSpan is how many elements a view may skip for each that it has; what lies
// between is read too.
const maxSpan = 4

// newTensor checks that the view lies within the storage.
func newTensor(s *storage, offset int, shape, stride []int) (*Tensor, error) {
	if len(shape) != len(stride) || offset < 0 {
		return nil, fmt.Errorf("a view of shape %v with strides %v and offset %d", shape, stride, offset)
	}
	t := &Tensor{Type: s.dtype, Shape: shape, storage: s, offset: offset, stride: stride}
	elements, last, ok := 1, 0, true
	for i, d := range shape {
		if d < 0 || stride[i] < 0 {
			return nil, fmt.Errorf("a view of shape %v with strides %v", shape, stride)
		}
		var more int
		elements, ok = multiply(elements, d, ok)
		more, ok = multiply(max(d-1, 0), stride[i], ok)
		if last > math.MaxInt64-more {
			ok = false
		} else {
			last += more
		}
	}
	switch {
	case elements == 0 && ok:
		return t, nil
	case !ok || last >= s.elements || offset >= s.elements-last:
		return nil, fmt.Errorf("a view of shape %v with strides %v and offset %d exceeds its storage of %d elements", shape, stride, offset, s.elements)
	case elements > last+1:
		return nil, fmt.Errorf("elements of a view of shape %v with strides %v overlap", shape, stride)
	case (last+1)/maxSpan > elements:
		return nil, fmt.Errorf("a view of shape %v with strides %v is too sparse; store it contiguous", shape, stride)
	}
	t.span = last + 1
	return t, nil
}

func multiply(a, b int, ok bool) (int, bool) {
	high, low := bits.Mul64(uint64(a), uint64(b))
	return int(low), ok && high == 0 && low <= math.MaxInt64
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Open returns the tensor's bytes, little-endian, row-major; the caller closes
// it. A damaged record gives an error while it is read.
func (t *Tensor) Open() (io.ReadCloser, error) {
	size := t.Type.Size()
	if t.span == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	r, err := t.storage.open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, int64(t.offset*size)); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: %w", cut(err)), r.Close())
	}
	part := &view{r: r, left: int64(t.span * size), toEnd: t.offset+t.span == t.storage.elements}
	if t.ordered() {
		return part, nil
	}
	return t.gather(part)
}

// ordered reports whether the elements lie in row-major order; the strides of
// dimensions of size 1 say nothing.
func (t *Tensor) ordered() bool {
	n := 1
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.stride[i] != n {
			return false
		}
		n *= t.Shape[i]
	}
	return true
}

// gather brings the elements in row-major order.
func (t *Tensor) gather(r io.ReadCloser) (io.ReadCloser, error) {
	raw, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	size := t.Type.Size()
	out := make([]byte, 0, t.Len()*size)
	index := make([]int, len(t.Shape))
	for at := 0; ; {
		out = append(out, raw[at*size:(at+1)*size]...)
		i := len(index) - 1
		for ; i >= 0; i-- {
			index[i]++
			at += t.stride[i]
			if index[i] < t.Shape[i] {
				break
			}
			at -= index[i] * t.stride[i]
			index[i] = 0
		}
		if i < 0 {
			return io.NopCloser(bytes.NewReader(out)), nil
		}
	}
}

// view reads a part of a storage. Where the part is the storage's end it reads
// on to the end of the record, as its checksum is compared there.
type view struct {
	r     io.ReadCloser
	left  int64
	toEnd bool
}

func (v *view) Read(p []byte) (int, error) {
	if v.left == 0 {
		if v.toEnd {
			v.toEnd = false
			if _, err := io.Copy(io.Discard, v.r); err != nil {
				return 0, fmt.Errorf("storage: %w", err)
			}
		}
		return 0, io.EOF
	}
	n, err := v.r.Read(p[:min(int64(len(p)), v.left)])
	v.left -= int64(n)
	if err != nil && (v.left > 0 || !errors.Is(err, io.EOF)) {
		return n, fmt.Errorf("storage: %w", cut(err))
	}
	return n, nil
}

func (v *view) Close() error { return v.r.Close() }

// cut is err, or what it means that bytes are missing.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
