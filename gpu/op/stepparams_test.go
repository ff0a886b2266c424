package op

import (
	"encoding/binary"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// testParams are the paper's values at some step.
var testParams = StepParams{
	LR: 5e-4, WeightDecay: 0.04,
	TeacherMomentum: 0.996, TeacherMomentumRest: 0.004,
	TeacherTemp: 0.04, StudentTemp: 0.1,
	CenterMomentum: 0.9, CenterMomentumRest: 0.1,
	ClipGrad: 3,
	Beta1:    0.9, Beta2: 0.999, Beta1Rest: 0.1, Beta2Rest: 0.001, Eps: 1e-8,
	Bias1: 0.3439, Bias2: 0.004, Bias1Last: 0.1, Bias2Last: 0.001,
	LossScale: 1.0 / 64, GradientScale: 1.0 / 64, GradientUnscale: 1,
	SeedLo: 1, SeedHi: 2, Epoch: 3, Step: 4,
}

// encodeParams is p as a kernel reads it.
func encodeParams(p StepParams) []byte {
	b, err := gpu.Encode(p)
	if err != nil {
		panic(err) // a struct of 4-byte scalars always encodes
	}
	return b
}

// paramsInput is p as an input of a case.
func paramsInput(c *gputest.Case, p StepParams) *gpu.Tensor {
	b := encodeParams(p)
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return c.InputU32("params", words, len(words))
}

// Go and GLSL must agree on the buffers that they share.
func TestBlockLayouts(t *testing.T) {
	for _, c := range []struct {
		module, block string
		mirror        any
	}{
		{"dinoloss", "StepParams", StepParams{}},
		{"optim_adamw", "StepParams", StepParams{}},
		{"optim_check", "Metrics", Metrics{}},
		{"scaler_begin", "StepParams", StepParams{}},
		{"optim_check", "Scaler", Scaler{}},
	} {
		if err := gpu.CheckBlock(c.module, c.block, c.mirror); err != nil {
			t.Error(err)
		}
	}
}
