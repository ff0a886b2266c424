package op

import "dino-vk/gpu"

// Sizes of the matrix product for llvmpipe, gemm_lanes.comp.
const (
	laneGroup = 1024    // invocations of a workgroup at most
	laneGrid  = 255     // workgroups along n and along k at most
	laneTerms = 512     // that a part of a weight gradient's sum has at least
	laneCache = 1 << 17 // elements of both operands that stay in a core's cache

	laneRows  = 4  // of a tile at least
	laneSteps = 64 // that a subgroup adds at most where the sum has no usual divisor
	laneLeast = 16 // and at least

	laneTileCount = 16 // tiles of a workgroup at most
	laneAcross    = 3  // of them side by side
)

var lanesGEMM = uniformForms("gemm_lanes", gpu.OrderedSubgroups, func(form gpu.Spec, caps gpu.Caps, problem any) bool {
	return problem.(gemmProblem).fitsLanes(form, caps)
})

// fitsLanes is for operands that are not both transposed, and for an epilogue that
// begins with what is added and ends with what is multiplied, or GELU. With 8 lanes
// broadcasts are best where nothing is added, measured on Mesa 25.0.7.
func (p gemmProblem) fitsLanes(form gpu.Spec, caps gpu.Caps) bool {
	_, ok := p.laneTiles(int(form["LANES"]))
	if form["LANES"] == 8 && form["BROADCASTS"] != 0 && !p.gemmSize.TransA {
		return false
	}
	added := p.Residual != nil || p.Accumulate
	return ok && p.whole && !(p.gemmSize.TransA && p.gemmSize.TransB) && p.wide() &&
		!(added && p.Factor != nil) && !((added || p.Bias != nil) && p.Alpha != 1) &&
		!(p.GELU && (p.Factor != nil || added)) &&
		(p.gemmSize.TransA || fitsTexels(caps, p.B))
}

// laneTiles is how gemm_lanes.comp makes a matrix.
type laneTiles struct {
	rows, columns int // of a tile
	across, tiles int // of a workgroup, side by side and one below the other
	steps         int // of the sum, that a subgroup adds
	chunks        int // of steps, that a workgroup adds
	parts         int // of chunks
}

// laneTiles divides a product; not ok says that it can't be.
func (p gemmProblem) laneTiles(lanes int) (t laneTiles, ok bool) {
	s := p.gemmSize
	odd := largestDivisor(s.K, laneSteps)
	steps := []int{48, 64, 32, odd, 16} // the best first, measured
	if p.GELU || lanes == 16 {          // each chunk makes GELU; tiles of 16 lanes have less code
		steps = []int{96, 48, 64, 32, odd, 16}
	}
	t.rows, t.columns = largestDivisor(s.M, 8), 32
	if lanes == 8 && t.rows > 6 { // more sums than registers
		t.columns = 16
		if s.M%6 == 0 && s.N%32 == 0 {
			t.rows, t.columns = 6, 32
		}
	}
	if t.rows < laneRows {
		return t, false
	}
	if s.N%t.columns != 0 {
		t.columns = 16
	}
	if s.N%t.columns != 0 {
		return t, false
	}
	for _, t.steps = range steps {
		if s.K%t.steps != 0 || t.steps < laneLeast {
			continue
		}
		all, least := s.K/t.steps, 1
		if s.TransA {
			least = max(1, min(ceilDiv(s.K*(s.M+s.N), laneCache), s.K/laneTerms))
		}
		for t.parts = min(least, all, laneGrid); t.parts <= min(all, laneGrid); t.parts++ {
			if t.chunks = all / t.parts; all%t.parts == 0 && t.chunks <= laneGroup/lanes {
				t.across = largestDivisor(s.N/t.columns, min(laneAcross, laneGroup/lanes/t.chunks))
				t.tiles = largestDivisor(s.M/t.rows, min(laneTileCount, laneGroup/lanes/t.chunks)/t.across)
				return t, s.M/t.rows/t.tiles < 1<<16 && s.N/t.columns/t.across <= laneGrid
			}
		}
	}
	return t, false
}

type lanesPush struct {
	A, B                              gpu.Address
	CAt, BiasAt, FactorAt, ResidualAt gpu.Address // A's where there is none
	M, N, K                           uint32
	Alpha                             float32
	Count                             [16]uint32
}

type packPush struct{ K, N uint32 }

// lanes records the product by sh, the variant lanesGEMM.
func (p GEMM) lanes(g *gpu.Graph, size gemmSize, sh gpu.Shader) {
	lanes := lanesOf(sh)
	t, _ := gemmProblem{p, size, true}.laneTiles(lanes)
	groups := gpu.Groups{size.M / t.rows / t.tiles, size.N / t.columns / t.across, t.parts}
	for name, n := range map[string]int{
		"ROWS": t.rows, "VECTORS": t.columns / lanes, "TILES": t.tiles, "ACROSS": t.across, "STEPS": t.steps, "CHUNKS": t.chunks,
		"SUBGROUPS": t.tiles * t.across * t.chunks, "GROUPS_X": groups[0], "GROUPS_Y": groups[1], "GROUPS_Z": groups[2],
	} {
		sh = sh.With(name, uint32(n))
	}
	push := lanesPush{A: 0, B: 1, CAt: 2, M: uint32(size.M), N: uint32(size.N), K: uint32(size.K), Alpha: p.Alpha, Count: counts()}
	if size.TransA {
		sh = sh.With("TRANS_A", 1).With("WIDTH_A", uint32(size.M)).With("WIDTH_B", uint32(size.N))
		rotated := t.columns
		if sh.Spec["BROADCASTS"] != 0 {
			rotated = 0
		}
		sums := g.New("parts", gpu.F32, t.parts, size.M, size.N)
		g.Dispatch(sh.With("SPLIT", 1), groups, push, p.A, p.B, sums, nil, nil, nil, nil)
		p.reduce(g, size, sums, rotated)
		return
	}
	b := pack(g, sh, p.B, size, t)
	args := append([]*gpu.Tensor{p.A, b}, p.epilogue(&sh)...)
	for i, at := range map[int]*gpu.Address{4: &push.BiasAt, 5: &push.FactorAt, 6: &push.ResidualAt} {
		if args[i] != nil {
			*at = gpu.Address(i)
		}
	}
	g.Dispatch(sh, groups, push, args...)
}

// pack records the copy of B into panels for sh to read.
func pack(g *gpu.Graph, sh gpu.Shader, b *gpu.Tensor, size gemmSize, t laneTiles) *gpu.Tensor {
	panels := g.New("panels", gpu.F32, size.N/t.columns, size.K, t.columns)
	sh.Module, sh.Spec = "gemm_pack", gpu.Spec{
		"COLUMNS": uint32(t.columns), "STEPS": uint32(t.steps), "CHUNKS": uint32(t.chunks), "ROTATED": 1 - sh.Spec["BROADCASTS"],
	}
	if size.TransB {
		sh = sh.With("TRANS_B", 1)
	}
	g.Dispatch(sh, grid(g, panels.Len()/16, 64), packPush{uint32(size.K), uint32(size.N)}, b, panels)
	return panels
}
