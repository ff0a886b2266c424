package dino

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
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
		tensors[p.Name] = c.Input(p.Name, f.F32(t, x.Name), p.Shape...)
	}
	for _, x := range f.Tensors() {
		if name, ok := strings.CutPrefix(x.Name, prefix); ok && prefix != "" && tensors[name] == nil {
			t.Fatalf("the model has no %s", name)
		}
	}
	return func(name string) *gpu.Tensor { return tensors[name] }
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

// checkGradients compares all of them.
func checkGradients(t *testing.T, c *gputest.Case, f *reference.File, params []op.Param, gradients map[string]*gpu.Tensor) {
	t.Helper()
	for _, p := range params {
		if g := gradients[p.Name]; g != nil {
			f.Check(t, "grad."+p.Name, c.Floats(g))
		}
	}
}
