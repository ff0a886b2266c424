package dino

import (
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

func TestReferenceHead(t *testing.T) {
	family := reference.Default().Family(t, "dino_head")
	var config struct {
		In         int `json:"in_dim"`
		Out        int
		Hidden     int
		Bottleneck int
		Layers     int `json:"nlayers"`
	}
	family.Decode(t, "config", &config)
	head := Head{In: config.In, Hidden: config.Hidden, Bottleneck: config.Bottleneck, Out: config.Out, Layers: config.Layers}
	for _, f := range family.Files {
		t.Run(f.Name, func(t *testing.T) {
			var batchNorm bool
			f.Decode(t, "use_bn", &batchNorm)
			head := head
			head.BatchNorm = batchNorm
			c := gputest.New(t)
			tape := op.NewTape(c.Graph)
			params := head.Params()
			w := weightInputs(t, c, f, "w.", params)
			gradients := gradientOutputs(c, tape, f, w, params)
			x, dx := leafInput(t, c, tape, f)

			logits := head.Forward(tape, w, op.Mode{Train: true}, x)
			out := c.Keep(logits)
			tape.Backward(logits, c.Input("cotangent", f.F32(t, "cotangent"), logits.Shape...))
			c.Run()

			f.Check(t, "out", c.Floats(out))
			f.Check(t, "grad_x", c.Floats(dx))
			checkGradients(t, c, f, params, gradients)
			checkStatistics(t, c, f, f, "w.", params, w, 1)
		})
	}
}
