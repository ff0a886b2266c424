package op

import "dino-vk/gpu"

var centerEMA = gpu.Plain("center")

// CenterUpdate records center = m center + (1-m) sum/rows (arXiv 2104.14294,
// equation 4), where sum (K) adds up so many rows of the teacher's logits (ColSum)
// and m comes from params (StepParams). Nothing changes where status[0] is set.
func CenterUpdate(g *gpu.Graph, center, sum, params, status *gpu.Tensor, rows int) {
	width := center.Len()
	type push struct{ Rows, Width uint32 }
	g.Dispatch(quadShader(g, centerEMA, width), gpu.Groups{(width + 255) / 256, 1, 1},
		push{uint32(rows), uint32(width)}, center, sum, params, status)
}
