package op

import (
	"math"

	"dino-vk/gpu"
)

var topK = gpu.Plain("topk")

// candidatesAtOnce bounds the scratch memory of the similarities.
const candidatesAtOnce = 16384

// NearestNeighbours finds for each row of queries (Q, D) the k rows of
// candidates (N, D) with the largest dot product, largest first, and of equal
// ones the lower number first: their products (Q, k) f32 and numbers (Q, k)
// u32. On rows of unit length that is cosine similarity. k may not exceed N, nor
// 65,000.
func NearestNeighbours(g *gpu.Graph, queries, candidates *gpu.Tensor, k int) (values, numbers *gpu.Tensor) {
	defer g.Scope("neighbours")()
	rows, n, width := queries.Dim(0), candidates.Dim(0), queries.Dim(1)
	values = g.New("similarities", gpu.F32, rows, max(k, 1))
	numbers = g.New("neighbours", gpu.U32, rows, max(k, 1))
	if k < 1 || k > min(n, mostIterations) || candidates.Dim(1) != width {
		g.Errorf("the %d nearest of %v to %v", k, candidates, queries)
		return values, numbers
	}
	g.Fill(values, math.Float32bits(float32(math.Inf(-1))))
	g.Fill(numbers, 0)
	step := int(g.Caps().MaxBinding / (4 * int64(max(rows, width))))
	step = min(step, candidatesAtOnce) / rowAlign * rowAlign
	if step == 0 {
		g.Errorf("neighbours of %v among %v: use fewer queries at a time", queries, candidates)
		return values, numbers
	}
	for first := 0; first < n; first += step {
		count := min(step, n-first)
		scores := g.New("scores", gpu.F32, rows, count)
		Gemm(g, GEMM{A: queries, B: candidates.Rows(first, count), C: scores, TransB: true})
		part := max(1, mostIterations/(k+1)) // each candidate may move the whole list
		for at := 0; at < count; at += part {
			push := struct{ Rows, Stride, First, Count, K, Base uint32 }{
				uint32(rows), uint32(count), uint32(at), uint32(min(part, count-at)), uint32(k), uint32(first),
			}
			g.Dispatch(g.Pick(topK, nil), grid(g, rows, 32), push, scores, values, numbers)
		}
	}
	return values, numbers
}
