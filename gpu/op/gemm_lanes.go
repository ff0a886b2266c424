package op

import "dino-vk/gpu"

// Sizes of the matrix product for llvmpipe, gemm_lanes.comp.
const (
	laneGroup = 1024    // invocations of a workgroup at most
	laneGrid  = 255     // workgroups along n and along k at most
	laneTerms = 512     // that a part of a weight gradient's sum has at least
	laneCache = 1 << 17 // elements of both operands that stay in a core's cache

	laneRows      = 4  // of a tile at least
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
	ok := len(p.laneTiles(int(form["LANES"]))) > 0
	if form["LANES"] == 8 && form["BROADCASTS"] != 0 && !p.gemmSize.TransA {
		return false
	}
	added := p.Residual != nil || p.Accumulate
	return ok && p.whole && !(p.gemmSize.TransA && p.gemmSize.TransB) && p.wide() &&
		!(added && p.Factor != nil) && !((added || p.Bias != nil) && p.Alpha != 1) &&
		!(p.GELU && (p.Factor != nil || added)) &&
		(p.gemmSize.TransA || fitsTexels(caps, p.B))
}

// laneTiles is how gemm_lanes.comp makes a matrix, or adds to its sums.
type laneTiles struct {
	rows, columns int // of a tile
	across, tiles int // of a workgroup, side by side and one below the other
	steps         int // of the sum, that a subgroup adds
	chunks        int // of steps, that a workgroup adds
	parts         int // of chunks
}

// laneTiles divides a product, and the sums of a weight gradient into runs of steps;
// none says that it can't be.
func (p gemmProblem) laneTiles(lanes int) []laneTiles {
	s := p.gemmSize
	t := laneTiles{rows: largestDivisor(s.M, 8), columns: 32}
	if lanes == 8 && t.rows > 6 { // more sums than registers
		t.columns = 16
		if s.M%6 == 0 && s.N%32 == 0 {
			t.rows, t.columns = 6, 32
		}
	}
	if s.N%t.columns != 0 {
		t.columns = 16
	}
	if t.rows < laneRows || s.N%t.columns != 0 {
		return nil
	}
	steps := []int{48, 64, 32, 16} // the best first, measured
	if p.GELU || lanes == 16 {     // each chunk makes GELU; tiles of 16 lanes have less code
		steps = []int{96, 48, 64, 32, 16}
	}
	least, most := 1, laneGroup/lanes
	if s.TransA {
		least = max(1, min(ceilDiv(s.K*(s.M+s.N), laneCache), s.K/laneTerms))
	}
	var list []laneTiles
	for rest := s.K; rest > 0; rest -= t.terms() {
		if !t.cut(rest, steps, least, most) {
			if !s.TransA || s.M%4 != 0 { // else runs of A's rows would begin where no binding may
				return nil
			}
			t.cutSome(rest, steps[0], least, most)
		}
		t.across = largestDivisor(s.N/t.columns, min(laneAcross, most/t.chunks))
		t.tiles = largestDivisor(s.M/t.rows, min(laneTileCount, most/t.chunks)/t.across)
		if s.M/t.rows/t.tiles >= 1<<16 || s.N/t.columns/t.across > laneGrid {
			return nil
		}
		list = append(list, t)
	}
	return list
}

// terms is how many terms of a sum there are.
func (t laneTiles) terms() int { return t.parts * t.chunks * t.steps }

// cut divides k terms into at least so many parts of at most so many chunks of one of
// the steps. It reports whether that leaves none over.
func (t *laneTiles) cut(k int, steps []int, least, most int) bool {
	for _, t.steps = range steps {
		if k%t.steps != 0 {
			continue
		}
		all := k / t.steps
		for t.parts = min(least, all, laneGrid); t.parts <= min(all, laneGrid); t.parts++ {
			if t.chunks = all / t.parts; all%t.parts == 0 && t.chunks <= most {
				return true
			}
		}
	}
	return false
}

// cutSome is cut with one step, for as many of the terms as it can.
func (t *laneTiles) cutSome(k, step, least, most int) {
	t.steps = min(k, step)
	all := k / t.steps
	t.parts = min(max(least, ceilDiv(all, most)), all, laneGrid)
	t.chunks = min(all/t.parts, most)
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
	list := gemmProblem{p, size, true}.laneTiles(lanesOf(sh))
	if size.TransA {
		p.lanesOfSums(g, size, sh, list)
		return
	}
	t, push := list[0], size.lanesPush(p.Alpha)
	b := pack(g, sh, p.B, size, t)
	args := append([]*gpu.Tensor{p.A, b}, p.epilogue(&sh)...)
	for i, at := range map[int]*gpu.Address{4: &push.BiasAt, 5: &push.FactorAt, 6: &push.ResidualAt} {
		if args[i] != nil {
			*at = gpu.Address(i)
		}
	}
	sh, groups := t.specialize(sh, size)
	g.Dispatch(sh, groups, push, args...)
}

// lanesOfSums records a weight gradient.
func (p GEMM) lanesOfSums(g *gpu.Graph, size gemmSize, sh gpu.Shader, list []laneTiles) {
	rotated := list[0].columns
	if sh.Spec["BROADCASTS"] != 0 {
		rotated = 0
	}
	slots := 0
	for _, t := range list {
		slots += t.parts
	}
	sums := g.New("parts", gpu.F32, slots, size.M, size.N)
	slot, term := 0, 0
	for _, t := range list {
		sh, groups := t.specialize(sh.With("TRANS_A", 1).With("WIDTH_A", uint32(size.M)).With("WIDTH_B", uint32(size.N)).With("SPLIT", 1), size)
		g.Dispatch(sh, groups, size.lanesPush(1), p.A.Rows(term, t.terms()), p.B.Rows(term, t.terms()), sums.Rows(slot, t.parts), nil, nil, nil, nil)
		slot, term = slot+t.parts, term+t.terms()
	}
	p.reduce(g, size, sums, rotated)
}

// specialize is the shader that makes tiles, and the grid that covers a product.
func (t laneTiles) specialize(sh gpu.Shader, size gemmSize) (gpu.Shader, gpu.Groups) {
	groups := gpu.Groups{size.M / t.rows / t.tiles, size.N / t.columns / t.across, t.parts}
	for name, n := range map[string]int{
		"ROWS": t.rows, "VECTORS": t.columns / lanesOf(sh), "TILES": t.tiles, "ACROSS": t.across, "STEPS": t.steps, "CHUNKS": t.chunks,
		"SUBGROUPS": t.tiles * t.across * t.chunks, "GROUPS_X": groups[0], "GROUPS_Y": groups[1], "GROUPS_Z": groups[2],
	} {
		sh = sh.With(name, uint32(n))
	}
	return sh, groups
}

func (s gemmSize) lanesPush(alpha float32) lanesPush {
	return lanesPush{A: 0, B: 1, CAt: 2, M: uint32(s.M), N: uint32(s.N), K: uint32(s.K), Alpha: alpha, Count: counts()}
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
