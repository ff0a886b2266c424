package dino

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// TestReferenceResNet is a training pass, forward and backward, and one of
// evaluation with the running statistics that it left.
func TestReferenceResNet(t *testing.T) {
	family := reference.Default().Family(t, "resnet")
	cases := reference.ResNets(t, family)
	for _, f := range family.Files {
		if f.Lookup("x") == nil {
			continue // weights
		}
		t.Run(f.Name, func(t *testing.T) {
			name := f.Text(t, "case")
			model, ok := cases[name]
			weights := family.File(name + ".weights")
			if !ok || weights == nil {
				t.Fatalf("the set lacks the case or the weights %q", name)
			}
			c := gputest.New(t)
			tape := op.NewTape(c.Graph)
			params := model.Params()
			w := weightInputs(t, c, weights, "", params)
			gradients := gradientOutputs(c, tape, f, w, params)
			if trained, _ := divide(params); len(gradients) != len(trained) {
				t.Fatalf("%d gradients for %d parameters", len(gradients), len(trained))
			}
			x, dx := leafInput(t, c, tape, f)

			out := model.Stages(tape, w, op.Mode{Train: true}, x)
			maps2d := map[string]*gpu.Tensor{"stage.maxpool": c.Keep(out.Stem)}
			for i, stage := range out.Stages {
				maps2d[fmt.Sprintf("stage.layer%d", i+1)] = c.Keep(stage)
			}
			features := c.Keep(out.Features)
			tape.Backward(out.Features, c.Input("cotangent", f.F32(t, "cotangent"), out.Features.Shape...))
			again := c.Input("again", f.F32(t, "x"), x.Shape...) // evaluation has no gradient
			var evaluated *gpu.Tensor
			tape.NoGrad(func() { evaluated = c.Keep(model.Forward(tape, w, op.Mode{}, again)) })
			c.Run()

			for _, name := range slices.Sorted(maps.Keys(maps2d)) {
				f.Check(t, name, channelsFirst(c.Floats(maps2d[name]), maps2d[name].Shape))
			}
			f.Check(t, "out", c.Floats(features))
			f.Check(t, "grad_x", c.Floats(dx))
			checkGradients(t, c, f, params, gradients)
			checkStatistics(t, c, f, weights, "", params, w, 1)
			f.Check(t, "out_eval", c.Floats(evaluated))
			for _, x := range f.Tensors() {
				if prefix, _, ok := strings.Cut(x.Name, "."); ok && prefix == "stage" && maps2d[x.Name] == nil {
					t.Errorf("nothing computes %q", x.Name)
				}
			}
		})
	}
}

// channelsFirst turns maps (N, H, W, C) into (N, C, H, W).
func channelsFirst(x []float32, shape []int) []float32 {
	n, area, channels := shape[0], shape[1]*shape[2], shape[3]
	y := make([]float32, len(x))
	for i := range n {
		for at := range area {
			for c := range channels {
				y[(i*channels+c)*area+at] = x[(i*area+at)*channels+c]
			}
		}
	}
	return y
}
