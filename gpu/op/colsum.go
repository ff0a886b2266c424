package op

import (
	"slices"

	"dino-vk/gpu"
)

var colSumKernel = withUniform(&gpu.Kernel{Name: "colsum", Variants: []gpu.Variant{
	{Module: "colsum_texel", Fits: func(caps gpu.Caps, x any) bool {
		return x.(colSumProblem).Dim(1)%4 == 0 && fitsTexels(caps, x.(colSumProblem).Tensor)
	}},
	{Module: "colsum_vec4", Fits: func(_ gpu.Caps, x any) bool { return x.(colSumProblem).Dim(1)%4 == 0 }},
	{Module: "colsum", Fits: func(_ gpu.Caps, x any) bool { return wide(x.(colSumProblem).Tensor) }},
}}, func(_ gpu.Caps, x any) bool {
	p := x.(colSumProblem)
	rows, columns := p.Dim(0), p.Dim(1)
	return p.partial && columns%uniformBlock == 0 && columns <= uniformWidth && wide(p.Tensor) &&
		rows >= colSumPart && rows/colSumPart < 1<<16-1
})

// colSumProblem is the matrix that the variants are chosen by, and whether parts of
// its rows are summed and no more.
type colSumProblem struct {
	*gpu.Tensor
	partial bool
}

type colSumPush struct {
	Rows, Columns uint32
	Part          uint32
	Slot          uint32
	Alpha         float32
}

// colSumPart is how many rows an invocation sums.
const colSumPart = 128

// ColSum records sum[j] = alpha sum_i x[i][j], x (…, columns) f32, axes before
// the last counting as rows; with accumulate it adds to what sum holds. The
// rows are summed by parts of fixed size, so the order never changes.
func ColSum(g *gpu.Graph, sum, x *gpu.Tensor, alpha float32, accumulate bool) {
	if g.Err() != nil {
		return
	}
	if len(x.Shape) == 0 || x.Len() == 0 || sum.Len() != x.Dim(-1) {
		g.Errorf("colsum: %v of %v", sum, x)
		return
	}
	x, _, _ = matrix(x)
	for x.Dim(0) > colSumPart {
		x = colSumParts(g, x)
	}
	colSum(g, g.Pick(colSumKernel, colSumProblem{x, false}), sum, x, 0, alpha, accumulate)
}

// colSumParts records the sums over parts of the rows.
func colSumParts(g *gpu.Graph, x *gpu.Tensor) *gpu.Tensor {
	rows, columns := x.Dim(0), x.Dim(1)
	runs := spans(g, rows, columns)
	slots := 0
	for _, s := range runs {
		slots += ceilDiv(s.n, colSumPart)
	}
	parts := g.New("parts", gpu.F32, slots, columns)
	slot := 0
	for _, s := range runs {
		sh, n := g.Pick(colSumKernel, colSumProblem{s.of(x), true}), ceilDiv(s.n, colSumPart)
		if isUniform(sh) {
			type push struct {
				X          gpu.Address
				Rows, Slot uint32
				Count      [16]uint32
			}
			blocks := columns / uniformBlock
			sh = sh.With("WIDTH", uint32(columns)).With("SUBGROUPS", uint32(blocks/largestDivisor(blocks, 2))).
				With("PART", colSumPart).With("TAIL", bit(s.n%colSumPart != 0))
			g.Dispatch(sh, gpu.Groups{n, 1, 1}, push{0, uint32(s.n), uint32(slot), counts()}, s.of(x), parts)
		} else {
			colSum(g, sh, parts, s.of(x), slot, 1, false)
		}
		slot += n
	}
	return parts
}

func colSum(g *gpu.Graph, sh gpu.Shader, sum, x *gpu.Tensor, slot int, alpha float32, accumulate bool) {
	rows, columns := x.Dim(0), x.Dim(1)
	n := ceilDiv(rows, colSumPart) * columns
	if sh.Module != "colsum" {
		n /= 4
	}
	if accumulate {
		sh = sh.With("ACCUMULATE", 1)
	}
	push := colSumPush{uint32(rows), uint32(columns), colSumPart, uint32(slot), alpha}
	g.Dispatch(sh, grid(g, n, 64), push, x, sum)
}

// wide reports whether no tensor has elements of 16 bits.
func wide(list ...*gpu.Tensor) bool {
	return !slices.ContainsFunc(list, func(t *gpu.Tensor) bool { return t != nil && t.Type.Narrow() })
}

// fitsTexels reports whether a texel buffer can hold each of the tensors; an
// absent one always fits.
func fitsTexels(caps gpu.Caps, list ...*gpu.Tensor) bool {
	for _, t := range list {
		if t != nil && (t.Type.Narrow() || t.Len()%4 != 0 || t.Len()/4 > int(caps.MaxTexels)) {
			return false
		}
	}
	return true
}
