package op

import (
	"slices"

	"dino-vk/gpu"
)

// Sizes of the matrix product for llvmpipe, gemm_lanes.comp.
const (
	laneRows    = 6       // of a tile
	laneColumns = 32      // of a tile
	laneLeast   = 16      // summands that a subgroup adds at least
	laneGroup   = 1024    // invocations of a workgroup at most
	laneTiles   = 4       // tiles of a workgroup: enough to make up for starting it
	laneGrid    = 255     // workgroups along n and along k at most
	laneCache   = 1 << 17 // elements of both operands that stay in a core's cache
)

// laneSteps are how many summands a subgroup may add, the best first; k is a
// multiple of the last.
var laneSteps = []int{32, laneLeast}

// lanesGEMM is for operands that are not both transposed.
var lanesGEMM = gpu.Variant{
	Module: "gemm_lanes",
	Needs:  gpu.UniformLanes,
	Fits: func(caps gpu.Caps, problem any) bool {
		p := problem.(gemmProblem)
		return p.whole && !(p.gemmSize.TransA && p.gemmSize.TransB) &&
			p.M >= laneRows && p.K%laneLeast == 0 &&
			(p.N%laneColumns == 0 || p.gemmSize.TransA && p.N > laneColumns && p.N%4 == 0) &&
			ceilDiv(p.M, laneRows) < 1<<16 && p.N <= laneGrid*laneColumns && p.K <= laneGrid*laneLeast*laneGroup/8 &&
			wide(p.A, p.B, p.Bias, p.Factor, p.Residual) && (!p.Accumulate || wide(p.C)) &&
			!(p.GELU && (p.Factor != nil || p.Residual != nil || p.Accumulate)) &&
			(p.gemmSize.TransA || fitsTexels(caps, p.B))
	},
}

type lanesPush struct {
	A, B                              gpu.Address
	CAt, BiasAt, FactorAt, ResidualAt gpu.Address // A's where there is none
	M, N, K                           uint32
	Part                              uint32
	Slot                              uint32
	Alpha                             float32
	Count                             [16]uint32
}

type packPush struct{ K, N uint32 }

// lanes records the product by sh, the variant lanesGEMM.
func (p GEMM) lanes(g *gpu.Graph, size gemmSize, sh gpu.Shader) {
	i := slices.IndexFunc(laneSteps, func(n int) bool { return size.K%n == 0 })
	steps := laneSteps[i]
	parts := ceilDiv(size.K, steps*laneGroup/8)
	if size.TransA {
		parts = max(parts, min(ceilDiv(size.K*(size.M+size.N), laneCache), laneGrid))
	}
	chunks := ceilDiv(size.K/steps, parts)
	parts = ceilDiv(size.K, chunks*steps)
	tiles := ceilDiv(size.M, laneRows)
	perGroup := min(laneTiles, laneGroup/8/chunks, tiles)

	sh = sh.With("STEPS", uint32(steps)).With("CHUNKS", uint32(chunks)).With("TILES", uint32(perGroup))
	if chunks*parts*steps == size.K {
		sh = sh.With("TAIL", 0)
	}
	b := p.B
	if size.TransA {
		sh = sh.With("TRANS_A", 1).With("WIDTH_A", uint32(size.M)).With("WIDTH_B", uint32(size.N))
	} else {
		b = pack(g, sh, b, size)
	}
	groups := gpu.Groups{ceilDiv(tiles, perGroup), ceilDiv(size.N, laneColumns), parts}
	push := lanesPush{
		A: 0, B: 1, M: uint32(size.M), N: uint32(size.N), K: uint32(size.K),
		Part: uint32(chunks * steps), Alpha: p.Alpha,
	}
	for i := range push.Count {
		push.Count[i] = uint32(i)
	}
	if parts > 1 {
		sums := g.New("parts", gpu.F32, parts, size.M, size.N)
		g.Dispatch(sh.With("SPLIT", 1), groups, push, p.A, b, sums, nil, nil, nil, nil)
		p.reduce(g, size, sums)
		return
	}
	args := append([]*gpu.Tensor{p.A, b}, p.epilogue(&sh)...)
	for i, at := range map[int]*gpu.Address{2: &push.CAt, 4: &push.BiasAt, 5: &push.FactorAt, 6: &push.ResidualAt} {
		if args[i] != nil {
			*at = gpu.Address(i)
		}
	}
	g.Dispatch(sh, groups, push, args...)
}

// pack records the copy of B into panels for sh to read.
func pack(g *gpu.Graph, sh gpu.Shader, b *gpu.Tensor, size gemmSize) *gpu.Tensor {
	panels := g.New("panels", gpu.F32, ceilDiv(size.N, laneColumns), size.K, laneColumns)
	sh.Module, sh.Spec = "gemm_pack", nil
	if size.TransB {
		sh = sh.With("TRANS_B", 1)
	}
	g.Dispatch(sh, grid(g, panels.Len()/16, 64), packPush{uint32(size.K), uint32(size.N)}, b, panels)
	return panels
}
