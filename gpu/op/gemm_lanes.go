package op

import "dino-vk/gpu"

// Sizes of the matrix product for llvmpipe, gemm_lanes.comp.
const (
	laneGroup = 1024    // invocations of a workgroup at most
	laneGrid  = 255     // workgroups along n and along k at most
	laneTerms = 512     // that a part of a weight gradient's sum has at least
	laneCache = 1 << 17 // elements of both operands that stay in a core's cache
)

// lanesGEMM hand their sums on in shared memory, and in C.
var lanesGEMM = []gpu.Variant{
	{
		Module: "gemm_lanes",
		Needs:  gpu.UniformLoads | gpu.SharedLanes,
		Spec:   gpu.Spec{"IN_SHARED": 1},
		Fits:   func(caps gpu.Caps, problem any) bool { return problem.(gemmProblem).fitsLanes(caps, true) },
	},
	{
		Module: "gemm_lanes",
		Needs:  gpu.UniformLoads | gpu.ScatteredLanes,
		Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(gemmProblem)
			return p.fitsLanes(caps, false) && wide(p.C, p.Slope) && !(p.Accumulate && (p.Alpha != 1 || p.Factor != nil))
		},
	},
}

// fitsLanes is for operands that are not both transposed.
func (p gemmProblem) fitsLanes(caps gpu.Caps, shared bool) bool {
	_, ok := p.laneTiles(shared)
	return ok && p.whole && !(p.gemmSize.TransA && p.gemmSize.TransB) &&
		wide(p.A, p.B, p.Bias, p.Factor, p.Residual) && (!p.Accumulate || wide(p.C)) &&
		!(p.GELU && (p.Factor != nil || p.Residual != nil || p.Accumulate)) &&
		(p.gemmSize.TransA || fitsTexels(caps, p.B))
}

// laneTiles is how gemm_lanes.comp makes a matrix.
type laneTiles struct {
	rows, columns int // of a tile
	tiles         int // of a workgroup, one below the other
	steps         int // of the sum, that a subgroup adds
	chunks        int // of steps, that a workgroup adds
	parts         int // of chunks
}

// laneTiles divides a product; not ok says that it can't be.
func (s gemmSize) laneTiles(shared bool) (t laneTiles, ok bool) {
	steps, most := []int{48, 64, 32, 16}, 16
	if shared {
		steps, most = []int{32, 16}, 4 // what is best, measured
	}
	switch {
	case s.M%6 == 0 && s.N%32 == 0:
		t.rows, t.columns = 6, 32
	case s.M%8 == 0 && s.N%16 == 0:
		t.rows, t.columns = 8, 16
	default:
		return t, false
	}
	for _, t.steps = range steps {
		if s.K%t.steps != 0 {
			continue
		}
		all, least := s.K/t.steps, 1
		if s.TransA {
			least = max(1, min(ceilDiv(s.K*(s.M+s.N), laneCache), s.K/laneTerms))
		}
		for t.parts = min(least, all, laneGrid); t.parts <= min(all, laneGrid); t.parts++ {
			if t.chunks = all / t.parts; all%t.parts == 0 && t.chunks <= laneGroup/8 {
				t.tiles = min(most, laneGroup/8/t.chunks)
				for s.M/t.rows%t.tiles != 0 {
					t.tiles--
				}
				return t, s.M/t.rows/t.tiles < 1<<16 && s.N/t.columns <= laneGrid
			}
		}
	}
	return t, false
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
	t, _ := size.laneTiles(sh.Spec["IN_SHARED"] != 0)
	for name, n := range map[string]int{"ROWS": t.rows, "VECTORS": t.columns / 8, "WIDTH_B": t.columns, "TILES": t.tiles, "STEPS": t.steps, "CHUNKS": t.chunks} {
		sh = sh.With(name, uint32(n))
	}
	b := p.B
	if size.TransA {
		sh = sh.With("TRANS_A", 1).With("WIDTH_A", uint32(size.M)).With("WIDTH_B", uint32(size.N))
	} else {
		b = pack(g, sh, b, size, t.columns)
	}
	groups := gpu.Groups{size.M / t.rows / t.tiles, size.N / t.columns, t.parts}
	push := lanesPush{
		A: 0, B: 1, M: uint32(size.M), N: uint32(size.N), K: uint32(size.K),
		Part: uint32(t.chunks * t.steps), Alpha: p.Alpha, Count: counts(),
	}
	if t.parts > 1 {
		push.CAt = 2
		sums := g.New("parts", gpu.F32, t.parts, size.M, size.N)
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

// pack records the copy of B into panels of so many columns for sh to read.
func pack(g *gpu.Graph, sh gpu.Shader, b *gpu.Tensor, size gemmSize, columns int) *gpu.Tensor {
	panels := g.New("panels", gpu.F32, size.N/columns, size.K, columns)
	sh.Module, sh.Spec = "gemm_pack", gpu.Spec{"COLUMNS": uint32(columns)}
	if size.TransB {
		sh = sh.With("TRANS_B", 1)
	}
	g.Dispatch(sh, grid(g, panels.Len()/16, 64), packPush{uint32(size.K), uint32(size.N)}, b, panels)
	return panels
}
