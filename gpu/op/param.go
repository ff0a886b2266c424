package op

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"dino-vk/gpu"
)

// Param is a weight tensor of a model: its state-dict name, its shape and how
// it starts.
type Param struct {
	Name  string
	Shape []int
	Init  Init
	// Buffer marks a running statistic: student and teacher have their own,
	// which their forward passes move, not the optimizer or the average.
	Buffer bool
}

// Init fills a weight tensor with its starting values.
type Init func(r *rand.Rand, w []float32)

// Len is the number of elements.
func (p Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Values draws the starting values of p. They depend on the seed and the name
// only, not on what other parameters there are.
func (p Param) Values(seed uint64) []float32 {
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	w := make([]float32, p.Len())
	p.Init(rand.New(rand.NewPCG(seed, h.Sum64())), w)
	return w
}

// Constant starts every element with v.
func Constant(v float32) Init {
	return func(_ *rand.Rand, w []float32) {
		for i := range w {
			w[i] = v
		}
	}
}

// TruncNormal draws from N(0, std²) within [-2, 2] (PyTorch's trunc_normal_,
// whose bounds are absolute).
func TruncNormal(std float64) Init {
	return func(r *rand.Rand, w []float32) {
		for i := range w {
			v := r.NormFloat64() * std
			for math.Abs(v) > 2 {
				v = r.NormFloat64() * std
			}
			w[i] = float32(v)
		}
	}
}

// FanIn draws from U(-1/√n, 1/√n) for n inputs: PyTorch's default for the
// weights and biases of linear and convolution layers (kaiming_uniform_ with
// a = √5).
func FanIn(n int) Init {
	bound := 1 / math.Sqrt(float64(n))
	return func(r *rand.Rand, w []float32) {
		for i := range w {
			w[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}

// KaimingNormal draws from N(0, 2/n) for n outputs that a value reaches: He et al.,
// arXiv 1502.01852, for ReLU (PyTorch's kaiming_normal_ of fan_out).
func KaimingNormal(n int) Init {
	std := math.Sqrt(2 / float64(n))
	return func(r *rand.Rand, w []float32) {
		for i := range w {
			w[i] = float32(r.NormFloat64() * std)
		}
	}
}

// Weights finds a model's weight tensor by its name.
type Weights func(name string) *gpu.Tensor

// Under finds the tensors whose names begin with prefix by the rest of their
// names.
func (w Weights) Under(prefix string) Weights {
	return func(name string) *gpu.Tensor { return w(prefix + name) }
}

// Draw names the randomness of a batch: the ids of its images, the last column
// of Images (B, 4) u32, and the seed and epoch in Params (StepParams).
type Draw struct{ Images, Params *gpu.Tensor }

// Mode is how a network runs. The zero Mode is evaluation: running statistics
// and no randomness.
type Mode struct {
	Train bool  // batch norm takes the batch's statistics and moves the running ones
	Draw  *Draw // randomness of stochastic depth, nil for none
	// Recompute keeps of a block its input alone for the backward, which computes
	// the rest again.
	Recompute bool
}

// Block is f(x), a block of a network, in this mode.
func (m Mode) Block(t *Tape, x *gpu.Tensor, f func(x *gpu.Tensor) *gpu.Tensor) *gpu.Tensor {
	if m.Recompute {
		return t.Recompute(x, f)
	}
	return f(x)
}
