package onnx

import (
	"fmt"
	"testing"

	"dino-vk/dino"
	"dino-vk/dino/internal/reference"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// The files, computed by ONNX's definitions, give the official implementation's
// numbers.

func TestReferenceONNXViT(t *testing.T) {
	family := reference.Default().Family(t, "vit_forward")
	shapes := reference.ViTs(t, family)
	for _, f := range family.Files {
		x := f.Lookup("x")
		if x == nil || x.Shape[2] != x.Shape[3] {
			continue // weights, and images that are not square
		}
		t.Run(f.Name, func(t *testing.T) {
			name := f.Text(t, "case")
			weights := family.File(name + ".weights")
			m := &dino.Model{Backbone: shapes[name], Values: func(p op.Param) ([]float32, error) {
				return weights.F32(t, p.Name), nil
			}}
			out := interpretReference(t, m, f)
			f.Check(t, "cls", narrow(out["cls"].data))
			last := ""
			for i := 0; f.Lookup(fmt.Sprintf("inter_%d", i)) != nil; i++ {
				last = fmt.Sprintf("inter_%d", i)
			}
			f.Check(t, last, narrow(sequences(out["cls"], out["patches"])))
		})
	}
}

// sequences puts each CLS (n, D) before its patches (n, T, D).
func sequences(cls, patches array) []float64 {
	var tokens []float64
	d, rest := cls.shape[1], patches.shape[1]*patches.shape[2]
	for i := range cls.shape[0] {
		tokens = append(tokens, cls.data[i*d:(i+1)*d]...)
		tokens = append(tokens, patches.data[i*rest:(i+1)*rest]...)
	}
	return tokens
}

func TestReferenceONNXResNet(t *testing.T) {
	family := reference.Default().Family(t, "resnet")
	shapes := reference.ResNets(t, family)
	for _, f := range family.Files {
		if f.Lookup("out_eval") == nil {
			continue // weights
		}
		t.Run(f.Name, func(t *testing.T) {
			name := f.Text(t, "case")
			weights := family.File(name + ".weights")
			m := &dino.Model{Backbone: shapes[name], Values: func(p op.Param) ([]float32, error) {
				if after := "after." + p.Name; f.Lookup(after) != nil { // a statistic that the pass in training moved
					return f.F32(t, after), nil
				}
				return weights.F32(t, p.Name), nil
			}}
			f.Check(t, "out_eval", narrow(interpretReference(t, m, f)["features"].data))
		})
	}
}

// interpretReference computes a model's file from the images x of f.
func interpretReference(t *testing.T, m *dino.Model, f *reference.File) map[string]array {
	t.Helper()
	shape := f.Tensor(t, "x").Shape
	x := array{shape, gputest.Float64(f.F32(t, "x")), 0}
	return readFile(t, written(t, m, shape[2])).interpret(t, x)
}
