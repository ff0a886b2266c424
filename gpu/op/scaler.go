package op

import "dino-vk/gpu"

// Scaler is the state of the dynamic loss scale (shaders/include/scaler.glsl):
// with float16 the gradients of the loss times Scale are computed, so that small
// ones are not lost.
type Scaler struct {
	Scale       float32
	Good        float32 // updates since the scale changed
	Skipped     float32 // updates that overflowed, and so were not made
	SkippedLast float32 // those that the last layer would have taken part in
}

// FirstScaler is how a run begins, as in PyTorch's GradScaler.
var FirstScaler = Scaler{Scale: 65536}

// StatusWords is the size of the status that the kernels share: whether the run
// has failed, and whether the update of this step is skipped.
const StatusWords = 2

var scalerBegin = gpu.Plain("scaler_begin")

// BeginScaled gives a step's params (StepParams) as the state of the scale has
// them. Optimizer.Check moves that at the end of the step.
func BeginScaled(g *gpu.Graph, params, scaler *gpu.Tensor) (scaled *gpu.Tensor) {
	scaled = g.New("params.scaled", params.Type, params.Shape...)
	g.Copy(scaled, params)
	g.Dispatch(g.Pick(scalerBegin, nil), gpu.Groups{1, 1, 1}, nil, scaled, scaler)
	return scaled
}
