package op

import "dino-vk/gpu"

var (
	centerSum = gpu.Plain("center_sum")
	centerEMA = gpu.Plain("center")
)

// CenterSum records sum_k = Σ_rows logits_k of the teacher's logits (rows, K),
// added to what sum (K) holds with accumulate.
func CenterSum(g *gpu.Graph, logits, sum *gpu.Tensor, accumulate bool) {
	rows, width := logits.Dim(0), logits.Dim(1)
	type push struct{ Rows, Width, Accumulate uint32 }
	const most = mostIterations / rowAlign * rowAlign // rows of a dispatch
	for _, s := range spans(g, rows, width) {
		for at := 0; at < s.n; at += most {
			part := span{s.first + at, min(most, s.n-at)}
			g.Dispatch(quadShader(g, centerSum, width), gpu.Groups{(width + 255) / 256, 1, 1},
				push{uint32(part.n), uint32(width), bit(accumulate || part.first > 0)}, part.of(logits), sum)
		}
	}
}

// CenterUpdate records center = m center + (1-m) sum/rows (arXiv 2104.14294,
// equation 4), with m from params (StepParams) and rows those of all sums
// together. Nothing changes where status[0] is set.
func CenterUpdate(g *gpu.Graph, center, sum, params, status *gpu.Tensor, rows int) {
	width := center.Len()
	type push struct{ Rows, Width uint32 }
	g.Dispatch(quadShader(g, centerEMA, width), gpu.Groups{(width + 255) / 256, 1, 1},
		push{uint32(rows), uint32(width)}, center, sum, params, status)
}
