package op

import "dino-vk/gpu"

// Sizes of the matrix product for llvmpipe, gemm_lanes.comp.
const (
	laneRows    = 6       // of a tile
	laneColumns = 32      // of a tile
	laneSteps   = 32      // summands that a subgroup adds, or half as many
	laneGroup   = 1024    // invocations of a workgroup at most
	laneTiles   = 4       // tiles of a workgroup: enough to make up for starting it
	laneGrid    = 255     // workgroups along n and along k at most
	laneCache   = 1 << 17 // elements of both operands that stay in a core's cache
)

// lanesGEMM is for operands that are not both transposed.
var lanesGEMM = gpu.Variant{
	Module: "gemm_lanes",
	Needs:  gpu.UniformLanes,
	Fits: func(caps gpu.Caps, problem any) bool {
		p := problem.(gemmProblem)
		return p.whole && !(p.gemmSize.TransA && p.gemmSize.TransB) && p.quads() &&
			p.K%(laneSteps/2) == 0 && p.M >= laneRows && (!p.gemmSize.TransA || p.N >= laneColumns) &&
			ceilDiv(p.M, laneRows) < 1<<16 && p.N <= laneGrid*laneColumns && p.K <= laneGrid*laneSteps/2*laneGroup/8 &&
			!p.A.Type.Narrow() && fitsTexels(caps, p.B, p.Bias, p.Factor, p.Residual)
	},
}

type lanesPush struct {
	A, B    gpu.Address
	M, N, K uint32
	Part    uint32
	Slot    uint32
	Alpha   float32
	Count   [16]uint32
}

type packPush struct{ K, N uint32 }

// lanes records the product by sh, the variant lanesGEMM.
func (p GEMM) lanes(g *gpu.Graph, size gemmSize, sh gpu.Shader) {
	steps := laneSteps
	if size.K%steps != 0 {
		steps /= 2
	}
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
	if parts == 1 {
		args := append([]*gpu.Tensor{p.A, b}, p.epilogue(&sh)...)
		g.Dispatch(sh, groups, push, args...)
		return
	}
	sums := g.New("parts", gpu.F32, parts, size.M, size.N)
	g.Dispatch(sh.With("SPLIT", 1), groups, push, p.A, b, sums, nil, nil, nil, nil)
	p.reduce(g, size, sums)
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
