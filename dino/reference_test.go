package dino

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/dino/safetensors"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

func TestMain(m *testing.M) { gputest.Main(m) }

// stepBytes is the content of a StepParams buffer.
func stepBytes(t testing.TB, p op.StepParams) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stepWords is stepBytes as 32-bit words.
func stepWords(t testing.TB, p op.StepParams) []uint32 {
	t.Helper()
	b := stepBytes(t, p)
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return words
}

// weightInputs gives a case the weights of a model, read from a file that must
// hold exactly those, by the same names behind a prefix and in the same shapes.
func weightInputs(t *testing.T, c *gputest.Case, f *reference.File, prefix string, params []op.Param) op.Weights {
	t.Helper()
	tensors := map[string]*gpu.Tensor{}
	for _, p := range params {
		x := f.Tensor(t, prefix+p.Name)
		if !slices.Equal(x.Shape, p.Shape) {
			t.Fatalf("%s is %v, the model has %v", x.Name, x.Shape, p.Shape)
		}
		if p.Buffer {
			tensors[p.Name] = c.InOut(p.Name, weightValues(t, f, x), p.Shape...)
		} else {
			tensors[p.Name] = c.Input(p.Name, weightValues(t, f, x), p.Shape...)
		}
	}
	for _, x := range f.Tensors() {
		if name, ok := strings.CutPrefix(x.Name, prefix); ok && prefix != "" && tensors[name] == nil {
			t.Fatalf("the model has no %s", name)
		}
	}
	return func(name string) *gpu.Tensor { return tensors[name] }
}

// weightValues reads a weight; counts are whole numbers in the file.
func weightValues(t *testing.T, f *reference.File, x *reference.Tensor) []float32 {
	t.Helper()
	if x.DType != safetensors.I64 {
		return f.F32(t, x.Name)
	}
	var values []float32
	for _, v := range f.I64(t, x.Name) {
		values = append(values, float32(v))
	}
	return values
}

// checkStatistics compares the running statistics after some training passes
// with those that f holds, and the counts of passes with those of before.
func checkStatistics(t *testing.T, c *gputest.Case, f, before *reference.File, prefix string, params []op.Param, w op.Weights, passes float32) {
	t.Helper()
	for _, p := range params {
		switch {
		case !p.Buffer:
		case len(p.Shape) == 0:
			old := weightValues(t, before, before.Tensor(t, prefix+p.Name))
			if got := c.Floats(w(p.Name)); got[0] != old[0]+passes {
				t.Errorf("%s is %v after %v passes from %v", p.Name, got[0], passes, old[0])
			}
		default:
			f.Check(t, "after."+p.Name, c.Floats(w(p.Name)))
		}
	}
}

// leafInput gives a case the input x of f and makes it a leaf of the tape with
// the gradient dx.
func leafInput(t *testing.T, c *gputest.Case, tape *op.Tape, f *reference.File) (x, dx *gpu.Tensor) {
	t.Helper()
	shape := f.Tensor(t, "x").Shape
	x, dx = c.Input("x", f.F32(t, "x"), shape...), c.Output("grad_x", gpu.F32, shape...)
	tape.Param(x, dx, false)
	return x, dx
}

// gradientOutputs makes every weight whose gradient f holds a leaf of the tape
// and returns the gradients by name.
func gradientOutputs(c *gputest.Case, tape *op.Tape, f *reference.File, w op.Weights, params []op.Param) map[string]*gpu.Tensor {
	gradients := map[string]*gpu.Tensor{}
	for _, p := range params {
		if f.Lookup("grad."+p.Name) != nil {
			gradients[p.Name] = c.Output("grad."+p.Name, gpu.F32, p.Shape...)
			tape.Param(w(p.Name), gradients[p.Name], false)
		}
	}
	return gradients
}

// checkGradients compares all of them. The bias before a batch norm has no
// effect: its gradient is rounding, for which the manifest has no limit, so it
// is held against the limit and the size of its weight's.
func checkGradients(t *testing.T, c *gputest.Case, f *reference.File, params []op.Param, gradients map[string]*gpu.Tensor) {
	t.Helper()
	for _, p := range params {
		g, name := gradients[p.Name], "grad."+p.Name
		if g == nil {
			continue
		}
		layer, isBias := strings.CutSuffix(name, ".bias")
		if !isBias || len(f.Tensor(t, name).Tol) > 0 {
			f.Check(t, name, c.Floats(g))
			continue
		}
		weight := f.Tensor(t, layer+".weight")
		limit := weight.Tol["rel_max"] * largest(f.F32(t, weight.Name))
		t.Run(name, func(t *testing.T) {
			noise := largest(c.Floats(g))
			t.Logf("0 within %.2g (limit %.2g)", noise, limit)
			if !(noise <= limit) {
				t.Errorf("%.3g, should be 0 within %.3g", noise, limit)
			}
		})
	}
}

// largest is the largest magnitude, NaN if there is one.
func largest(values []float32) float64 {
	m := 0.0
	for _, v := range values {
		m = math.Max(m, math.Abs(float64(v)))
	}
	return m
}
