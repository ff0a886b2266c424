package bench

import (
	"encoding/binary"
	"math/rand/v2"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// recorder records an operation on tensors of random numbers.
type recorder struct {
	g      *gpu.Graph
	tape   *op.Tape // whose Type the activations are of
	store  *gpu.Store
	inputs []*gpu.Tensor  // to be filled with normal random numbers
	fill   []func() error // what else is to be written

	forward bool // and nothing else is recorded
}

func newRecorder(caps gpu.Caps, typ gpu.Type) *recorder {
	g := gpu.NewGraph(caps)
	r := &recorder{g: g, tape: op.NewTape(g), store: gpu.NewStore()}
	r.tape.Type = typ
	return r
}

// input is a float32 tensor that needs no gradient.
func (r *recorder) input(shape ...int) *gpu.Tensor {
	return r.tensor(gpu.F32, shape...)
}

// leaf is a float32 tensor that needs a gradient.
func (r *recorder) leaf(shape ...int) *gpu.Tensor {
	t := r.input(shape...)
	r.tape.Param(t, r.store.New("gradient", gpu.F32, shape...), false)
	return t
}

// activation is a tensor of the tape's Type, where its rows allow that, that
// needs a gradient or, if not leaf, none.
func (r *recorder) activation(leaf bool, shape ...int) *gpu.Tensor {
	typ := r.tape.Type
	if shape[len(shape)-1]%4 != 0 {
		typ = gpu.F32
	}
	t := r.tensor(typ, shape...)
	if leaf {
		r.tape.Param(t, r.store.New("gradient", typ, shape...), false)
	}
	return t
}

// tensor is one of random numbers.
func (r *recorder) tensor(typ gpu.Type, shape ...int) *gpu.Tensor {
	t := r.store.New("input", typ, shape...)
	r.inputs = append(r.inputs, t)
	return t
}

// weight is a float32 leaf with a copy in the tape's Type for products.
func (r *recorder) weight(shape ...int) *gpu.Tensor {
	w := r.leaf(shape...)
	if r.tape.Type.Narrow() && shape[len(shape)-1]%4 == 0 {
		r.tape.Copy(w, r.tensor(r.tape.Type, shape...))
	}
	return w
}

// differentiate records the backward of y from a random gradient.
func (r *recorder) differentiate(y *gpu.Tensor) {
	if !r.forward {
		r.tape.Backward(y, r.tensor(y.Type, y.Shape...))
	}
}

// zeros is a tensor of words that begin as zero.
func (r *recorder) zeros(shape ...int) *gpu.Tensor { return r.store.New("zeros", gpu.U32, shape...) }

// words is a tensor of the words f(0), f(1), ….
func (r *recorder) words(f func(i int) uint32, shape ...int) *gpu.Tensor {
	t := r.store.New("words", gpu.U32, shape...)
	r.fill = append(r.fill, func() error {
		data := make([]byte, 0, t.Bytes())
		for i := range t.Len() {
			data = binary.LittleEndian.AppendUint32(data, f(i))
		}
		return r.store.Write(t, data)
	})
	return t
}

// params is the StepParams of a training's first step.
func (r *recorder) params(c dino.Config) *gpu.Tensor {
	values := dino.NewSchedule(c, longEpoch).Params(0)
	t := r.store.New("params", gpu.U32, binary.Size(values)/4)
	r.fill = append(r.fill, func() error {
		data, err := gpu.Encode(values)
		if err != nil {
			return err
		}
		return r.store.Write(t, data)
	})
	return t
}

// allocate takes the memory of all tensors and fills it.
func (r *recorder) allocate(dev *gpu.Device) error {
	if err := r.store.Allocate(dev); err != nil {
		return err
	}
	block := normal(rand.New(rand.NewPCG(1, 0)), 65521) // a prime, so that no two rows are equal
	for _, t := range r.inputs {
		if err := r.store.Write(t, t.Type.Encode(again(block, t.Len()))); err != nil {
			return err
		}
	}
	for _, f := range r.fill {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// again is n values, the block's again and again.
func again(block []float32, n int) []float32 {
	list := make([]float32, n)
	for i := 0; i < n; i += copy(list[i:], block) {
	}
	return list
}
