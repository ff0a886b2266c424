package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"dino-vk/dino/pth"
	"dino-vk/dino/safetensors"

	"github.com/x448/float16"
)

// Tensor is a tensor of a file under the reference's name.
type Tensor struct {
	Name  string
	Type  safetensors.Type // in the file
	Shape []int
	parts []part // one after another along the first dimension
}

// part is a tensor as the file has it.
type part struct {
	name string // in the file
	open func() (io.ReadCloser, error)
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Source is what the file calls the tensor; the first part of several.
func (t *Tensor) Source() string { return t.parts[0].name }

// ReadF32 fills dst with the tensor, rounded to float32 where the file has
// another type.
func (t *Tensor) ReadF32(dst []float32) error {
	if len(dst) != t.Len() {
		return fmt.Errorf("tensor %q %v: %d elements wanted", t.Name, t.Shape, len(dst))
	}
	decode := decoders[t.Type]
	if decode == nil {
		return fmt.Errorf("tensor %q is %s, not a kind of float", t.Name, t.Type)
	}
	each := len(dst) / len(t.parts)
	for i, p := range t.parts {
		if err := p.read(dst[i*each:(i+1)*each], t.Type.Size(), decode); err != nil {
			return fmt.Errorf("tensor %q (%s): %w", t.Name, p.name, err)
		}
	}
	return nil
}

func (p part) read(dst []float32, size int, decode func([]byte) float64) (err error) {
	r, err := p.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b := make([]byte, 1<<16)
	for piece := range slices.Chunk(dst, len(b)/size) {
		if _, err := io.ReadFull(r, b[:len(piece)*size]); err != nil {
			return err
		}
		for i := range piece {
			piece[i] = float32(decode(b[i*size:]))
		}
	}
	// A checksum is compared at the end of what there is.
	if n, err := io.ReadFull(r, b[:1]); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("more bytes than its elements take, or damaged (%v)", err)
	}
	return nil
}

// decoders read an element.
var decoders = map[safetensors.Type]func([]byte) float64{
	safetensors.F64: func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) },
	safetensors.F32: func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) },
	safetensors.BF16: func(b []byte) float64 {
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
	},
	safetensors.F16: func(b []byte) float64 { return float64(float16.Frombits(binary.LittleEndian.Uint16(b)).Float32()) },
	safetensors.I64: func(b []byte) float64 { return float64(int64(binary.LittleEndian.Uint64(b))) },
}

// stateDict is a file's named tensors in its order.
type stateDict []*Tensor

func fromSafetensors(f *safetensors.File) stateDict {
	var list stateDict
	for _, x := range f.Tensors {
		list = append(list, &Tensor{Name: x.Name, Type: x.Type, Shape: x.Shape, parts: []part{{x.Name, func() (io.ReadCloser, error) {
			r, err := f.Reader(x.Name)
			return io.NopCloser(r), err
		}}}})
	}
	return list
}

func tensorOf(name string, x *pth.Tensor) *Tensor {
	return &Tensor{Name: name, Type: x.Type, Shape: x.Shape, parts: []part{{name, x.Open}}}
}

// fromDict reads a dict of nothing but tensors.
func fromDict(d *pth.Dict) (stateDict, error) {
	var list stateDict
	for _, item := range d.Items {
		name, ok := item.Key.(string)
		x, ok2 := item.Value.(*pth.Tensor)
		if !ok || !ok2 {
			return nil, fmt.Errorf("%v is no tensor", item.Key)
		}
		list = append(list, tensorOf(name, x))
	}
	return list, nil
}
