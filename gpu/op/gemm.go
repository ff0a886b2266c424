package op

import (
	"fmt"
	"slices"

	"dino-vk/gpu"
)

// GEMM describes the matrix product
//
//	C = gelu(alpha op(A) op(B) + Bias) * Factor + Residual (+ C),
//
// every part but the product being optional. All matrices are row-major;
// axes before the last count as rows. op(A) is (m, k), op(B) (k, n), C (m, n).
// Sums are f32.
type GEMM struct {
	A, B, C        *gpu.Tensor
	TransA, TransB bool     // op transposes: A is stored (k, m), B (n, k)
	Alpha          float32  // 0 stands for 1
	Type           gpu.Type // F16 or BF16: A and B may be rounded to it

	Bias       *gpu.Tensor // (n)
	GELU       bool
	Slope      *gpu.Tensor // (m, n): with GELU, receives its derivative
	Factor     *gpu.Tensor // (m, n): multiplied element by element
	Residual   *gpu.Tensor // (m, n)
	Accumulate bool        // add to what C holds

	// Sums (m), where A is transposed, receives the sums of op(A)'s rows: what the
	// gradient of a bias is beside that of its weight.
	Sums           *gpu.Tensor
	AccumulateSums bool
}

// gemmSize is the size of a product: op(A) (M, K) times op(B) (K, N).
type gemmSize struct {
	M, N, K        int
	TransA, TransB bool
}

// widths are the lengths of the operands' rows as they are stored.
func (s gemmSize) widths() (a, b int) {
	a, b = s.K, s.N
	if s.TransA {
		a = s.M
	}
	if s.TransB {
		b = s.K
	}
	return a, b
}

// quads reports whether the rows of all three matrices are multiples of four
// elements.
func (s gemmSize) quads() bool {
	a, b := s.widths()
	return a%4 == 0 && b%4 == 0 && s.N%4 == 0
}

var gemmKernel = &gpu.Kernel{Name: "gemm", Variants: slices.Concat(
	coop2Variants("gemm_coop2", gpu.F16, 0), coop2Variants("gemm_coop2_bf16", gpu.BF16, gpu.BFloat16),
	coopVariants("gemm_coop", gpu.F16, gpu.Float16), coopVariants("gemm_coop_bf16", gpu.BF16, gpu.BFloat16),
	exactVariants,
)}

// exactVariants are the forms whose products are those of float32.
var exactVariants = slices.Concat(
	[]gpu.Variant{
		sharedGEMM("gemm_shared_vec4", 16, 16),
		sharedGEMM("gemm_shared_vec4", 8, 16),
		sharedGEMM("gemm_shared_vec4", 8, 8),
		sharedGEMM("gemm_shared", 8, 8),
	},
	lanesGEMM,
	[]gpu.Variant{
		{Module: "gemm_texel", Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(gemmProblem)
			return p.quads() && fitsTexels(caps, p.A, p.B, p.Bias, p.Factor, p.Residual)
		}},
		{Module: "gemm_vec4", Fits: func(_ gpu.Caps, problem any) bool { return problem.(gemmProblem).quads() }},
		{Module: "gemm", Fits: func(_ gpu.Caps, problem any) bool { return problem.(gemmProblem).wide() }},
	},
)

var gemmReduceKernel = withUniform(&gpu.Kernel{Name: "gemm_reduce", Variants: []gpu.Variant{
	{Module: "gemm_reduce_texel", Fits: func(caps gpu.Caps, problem any) bool {
		p := problem.(gemmReduceProblem)
		return p.N%4 == 0 && fitsTexels(caps, p.sums, p.Bias, p.Factor, p.Residual)
	}},
	{Module: "gemm_reduce_vec4", Fits: func(_ gpu.Caps, problem any) bool { return problem.(gemmReduceProblem).N%4 == 0 }},
	{Module: "gemm_reduce", Fits: func(_ gpu.Caps, problem any) bool { return problem.(gemmReduceProblem).wide() }},
}}, func(_ gpu.Caps, problem any) bool {
	p := problem.(gemmReduceProblem)
	return p.Bias == nil && !p.GELU && p.Slope == nil && p.Factor == nil && p.Residual == nil && p.wide() &&
		p.M*p.N%uniformBlock == 0 && p.M*p.N/uniformBlock < 1<<16 && p.sums.Dim(0) <= uniformSlots
})

// sharedGEMM is the product of blocks of wide x tall tiles from shared memory.
// Blocks larger than the smallest are for products that have enough of them for
// the device, if they add no more than an eighth to the work by overhanging.
func sharedGEMM(module string, wide, tall int) gpu.Variant {
	return gpu.Variant{
		Module: module,
		Needs:  gpu.SharedMemory,
		Spec:   gpu.Spec{"TILES_X": uint32(wide), "TILES_Y": uint32(tall)},
		Fits: func(_ gpu.Caps, problem any) bool {
			p := problem.(gemmProblem)
			if vec4 := module == "gemm_shared_vec4"; vec4 && !p.quads() || !vec4 && !p.wide() {
				return false
			}
			least := roundUp(p.M, gemmTile*8) * roundUp(p.N, gemmTile*8)
			size := roundUp(p.M, gemmTile*tall) * roundUp(p.N, gemmTile*wide)
			return wide*tall == gemmTiles || size <= least+least/8 && size >= enoughGroups*gemmTile*gemmTile*wide*tall
		},
	}
}

// gemmProblem and gemmReduceProblem are what their kernels' variants are
// chosen by.
type gemmProblem struct {
	GEMM
	gemmSize
	whole bool // the operands are not cut to fit their bindings
}

// wide reports whether all elements have 32 bits: others are read by quads only.
func (p gemmProblem) wide() bool {
	return wide(p.A, p.B, p.C, p.Slope, p.Bias, p.Factor, p.Residual)
}

type gemmReduceProblem struct {
	gemmProblem
	sums *gpu.Tensor
}

type gemmPush struct {
	M, N, K uint32
	Part    uint32
	Slot    uint32
	Alpha   float32
}

type gemmReducePush struct {
	Size, N uint32
	Slots   uint32
	Alpha   float32
}

const (
	gemmTile     = 8   // rows and columns of an invocation's tile
	gemmTiles    = 64  // tiles of a workgroup; more in some variants
	enoughGroups = 256 // workgroups that keep any device busy
)

// Gemm records a matrix product. Tensors too large for one binding are cut
// along their rows; B must fit one unless A is transposed and B is not.
func Gemm(g *gpu.Graph, p GEMM) {
	if g.Err() != nil {
		return
	}
	size, err := p.size()
	if err != nil {
		g.Errorf("gemm: %w", err)
		return
	}
	p.A, _, _ = matrix(p.A)
	p.B, _, _ = matrix(p.B)
	p.C = p.C.Reshape(size.M, size.N)
	if p.Alpha == 0 {
		p.Alpha = 1
	}
	if p.TransA {
		p.sumOfRows(g, size)
		return
	}
	// C's rows are A's: any number of them is a product of its own.
	for _, s := range spans(g, size.M, max(size.K, size.N)) {
		q, part := p, size
		part.M = s.n
		q.A, q.C = s.of(p.A), s.of(p.C)
		for _, t := range []**gpu.Tensor{&q.Slope, &q.Factor, &q.Residual} {
			if *t != nil {
				*t = s.of((*t).Reshape(size.M, size.N))
			}
		}
		q.product(g, part)
	}
}

// sumOfRows records a product whose sum runs over A's rows, and over B's
// unless that is transposed too: the gradient of a weight.
func (p GEMM) sumOfRows(g *gpu.Graph, size gemmSize) {
	defer g.Whole()()
	runs := spans(g, size.K, max(size.M, size.N))
	if p.TransB || len(runs) <= 1 {
		p.product(g, size)
		return
	}
	// Every run of rows fills slots of its own with partial sums.
	first := p
	first.A, first.B = runs[0].of(p.A), runs[0].of(p.B)
	sh, groups := first.shader(g, size)
	part := roundUp(ceilDiv(runs[0].n, ceilDiv(size.parts(g.Caps(), sh, groups), len(runs))), stepsOf(sh))
	slots := 0
	for _, s := range runs {
		slots += ceilDiv(s.n, part)
	}
	sums, rows := g.New("parts", gpu.F32, slots, size.M, size.N), p.rowSums(g, sh, slots, size.M)
	slot := 0
	for _, s := range runs {
		q, piece := p, size
		piece.K = s.n
		q.A, q.B = s.of(p.A), s.of(p.B)
		q.partial(g, sh, groups, piece, sums, rows, part, slot)
		slot += ceilDiv(s.n, part)
	}
	p.reduce(g, size, sums, 0)
	p.addSums(g, rows)
}

// product records a product of tensors that fit their bindings.
func (p GEMM) product(g *gpu.Graph, size gemmSize) {
	defer g.Whole()() // variants cut sums into other parts
	sh := g.Pick(gemmKernel, gemmProblem{p, size, true})
	if sh.Has("CHUNKS") { // its workgroups add up parts in an order of their own
		p.lanes(g, size, sh)
		p.addSums(g, nil)
		return
	}
	sh, groups := p.blocks(g, sh, size)
	if parts := size.parts(g.Caps(), sh, groups); parts > 1 {
		part := roundUp(ceilDiv(size.K, parts), stepsOf(sh))
		slots := ceilDiv(size.K, part)
		sums, rows := g.New("parts", gpu.F32, slots, size.M, size.N), p.rowSums(g, sh, slots, size.M)
		p.partial(g, sh, groups, size, sums, rows, part, 0)
		p.reduce(g, size, sums, 0)
		p.addSums(g, rows)
		return
	}
	rows := p.rowSums(g, sh, 1, size.M)
	args := append([]*gpu.Tensor{p.A, p.B}, p.epilogue(&sh)...)
	g.Dispatch(withSums(size.whole(sh), rows, &args), groups, size.push(size.K, 0, p.Alpha), args...)
	p.addSums(g, rows)
}

// rowSums is for the parts of op(A)'s sums that a shader makes beside the
// product, nil where it doesn't or nobody asked.
func (p GEMM) rowSums(g *gpu.Graph, sh gpu.Shader, slots, m int) *gpu.Tensor {
	if p.Sums == nil || !sh.Has("SUMS") {
		return nil
	}
	return g.New("sums", gpu.F32, slots, m)
}

// withSums lets a shader that can make the parts of op(A)'s sums.
func withSums(sh gpu.Shader, rows *gpu.Tensor, args *[]*gpu.Tensor) gpu.Shader {
	if !sh.Has("SUMS") {
		return sh
	}
	*args = append(*args, rows)
	return sh.With("SUMS", bit(rows != nil))
}

// addSums records the sums of op(A)'s rows, from their parts where there are any.
func (p GEMM) addSums(g *gpu.Graph, rows *gpu.Tensor) {
	switch {
	case p.Sums == nil:
	case rows == nil:
		ColSum(g, p.Sums, p.A, 1, p.AccumulateSums)
	default:
		ColSum(g, p.Sums, rows, 1, p.AccumulateSums)
	}
}

// partial records the sums over parts of k, as the matrices slot, slot+1, … of
// sums, and those of op(A)'s rows as rows of rows, unless that is nil.
func (p GEMM) partial(g *gpu.Graph, sh gpu.Shader, groups gpu.Groups, size gemmSize, sums, rows *gpu.Tensor, part, slot int) {
	groups[2] = ceilDiv(size.K, part)
	args := []*gpu.Tensor{p.A, p.B, sums, nil, nil, nil, nil}
	g.Dispatch(withSums(size.whole(sh).With("SPLIT", 1), rows, &args), groups, size.push(part, slot, 1), args...)
}

// reduce records the addition of partial sums and what follows it. columns are those
// of gemm_lanes.comp's tiles where sums are as that leaves them, else 0.
func (p GEMM) reduce(g *gpu.Graph, size gemmSize, sums *gpu.Tensor, columns int) {
	n := size.M * size.N
	sh := g.Pick(gemmReduceKernel, gemmReduceProblem{gemmProblem{p, size, true}, sums})
	if isUniform(sh) {
		type push struct {
			Parts, CAt gpu.Address
			Alpha      float32
			Count      [16]uint32
		}
		blocks := largestDivisor(n/uniformBlock, uniformRows)
		sh = sh.With("SIZE", uint32(n)).With("SLOTS", uint32(sums.Dim(0))).With("COLUMNS", uint32(columns)).
			With("ACCUMULATE", bit(p.Accumulate)).With("BLOCKS", uint32(blocks))
		g.Dispatch(sh, gpu.Groups{n / uniformBlock / blocks, 1, 1}, push{0, 1, p.Alpha, counts()}, sums, p.C)
		return
	}
	args := append([]*gpu.Tensor{sums}, p.epilogue(&sh)...)
	push := gemmReducePush{uint32(n), uint32(size.N), uint32(sums.Dim(0)), p.Alpha}
	if columns > 0 {
		sh = sh.With("COLUMNS", uint32(columns))
	}
	if sh.Module != "gemm_reduce" {
		n /= 4
	}
	g.Dispatch(sh, grid(g, n, 64), push, args...)
}

// epilogue specializes a shader for what follows the product and lists the
// tensors of that.
func (p GEMM) epilogue(sh *gpu.Shader) []*gpu.Tensor {
	for _, s := range []struct {
		name string
		on   bool
	}{
		{"BIAS", p.Bias != nil}, {"GELU", p.GELU}, {"SLOPE", p.Slope != nil},
		{"FACTOR", p.Factor != nil}, {"RESIDUAL", p.Residual != nil}, {"ACCUMULATE", p.Accumulate},
	} {
		if s.on {
			*sh = sh.With(s.name, 1)
		}
	}
	return []*gpu.Tensor{p.C, p.Slope, p.Bias, p.Factor, p.Residual}
}

// size checks the shapes.
func (p GEMM) size() (gemmSize, error) {
	if p.A == nil || p.B == nil || p.C == nil || p.A.Len() == 0 || p.B.Len() == 0 || len(p.A.Shape) == 0 || len(p.B.Shape) == 0 {
		return gemmSize{}, fmt.Errorf("product %v of %v and %v: a matrix is missing or empty", p.C, p.A, p.B)
	}
	s := gemmSize{TransA: p.TransA, TransB: p.TransB}
	s.K, s.M = p.A.Dim(-1), p.A.Len()/p.A.Dim(-1)
	if p.TransA {
		s.K, s.M = s.M, s.K
	}
	k, n := p.B.Len()/p.B.Dim(-1), p.B.Dim(-1)
	if p.TransB {
		k, n = n, k
	}
	s.N = n
	if k != s.K || p.C.Len() != s.M*s.N || p.C.Dim(-1) != s.N {
		return s, fmt.Errorf("product %v of %v (transposed: %v) and %v (transposed: %v)", p.C, p.A, p.TransA, p.B, p.TransB)
	}
	if p.Bias != nil && p.Bias.Len() != s.N {
		return s, fmt.Errorf("bias %v of product %v", p.Bias, p.C)
	}
	for _, t := range []*gpu.Tensor{p.Slope, p.Factor, p.Residual} {
		if t != nil && t.Len() != p.C.Len() {
			return s, fmt.Errorf("%v and product %v differ in size", t, p.C)
		}
	}
	if p.Sums != nil && (!p.TransA || p.Sums.Len() != s.M) {
		return s, fmt.Errorf("sums %v of the rows of %v (transposed: %v)", p.Sums, p.A, p.TransA)
	}
	if p.Slope != nil && !p.GELU {
		return s, fmt.Errorf("slope %v of a product without GELU", p.Slope)
	}
	return s, nil
}

func (s gemmSize) push(part, slot int, alpha float32) gemmPush {
	return gemmPush{uint32(s.M), uint32(s.N), uint32(s.K), uint32(part), uint32(slot), alpha}
}

// shader picks and specializes the kernel for a part of a product.
func (p GEMM) shader(g *gpu.Graph, size gemmSize) (gpu.Shader, gpu.Groups) {
	return p.blocks(g, g.Pick(gemmKernel, gemmProblem{p, size, false}), size)
}

// blocks specializes a variant that makes C in blocks of tiles.
func (p GEMM) blocks(g *gpu.Graph, sh gpu.Shader, size gemmSize) (gpu.Shader, gpu.Groups) {
	sh, wide, tall := blockOf(sh, size.M, size.N)
	sh = divided(g.Caps(), p.Type, sh)
	if size.TransA {
		sh = sh.With("TRANS_A", 1)
	}
	if size.TransB {
		sh = sh.With("TRANS_B", 1)
	}
	return sh, gpu.Groups{
		ceilDiv(size.N, gemmTile*wide),
		ceilDiv(size.M, gemmTile*tall),
		1,
	}
}

// parts is into how many parts a shader's sums are best cut.
func (s gemmSize) parts(caps gpu.Caps, sh gpu.Shader, groups gpu.Groups) int {
	if _, ok := sh.Spec["STEPS"]; ok {
		return coopParts(caps, groups[0]*groups[1], s.K)
	}
	return gemmParts(s)
}

// stepsOf is how many steps of its sums a shader takes at once; parts are of
// multiples of that.
func stepsOf(sh gpu.Shader) int {
	if steps, ok := sh.Spec["STEPS"]; ok {
		return int(steps)
	}
	return 4
}

// whole tells a shader where k leaves no steps over.
func (s gemmSize) whole(sh gpu.Shader) gpu.Shader {
	if s.K%stepsOf(sh) == 0 {
		return sh.With("TAIL", 0)
	}
	return sh
}

// blockOf is how many tiles wide and tall a workgroup's block of an (m, n) matrix
// is: as the shader's variant says, else of gemmTiles in the best shape, which
// the shader returned is told.
func blockOf(sh gpu.Shader, m, n int) (told gpu.Shader, wide, tall int) {
	if wide, ok := sh.Spec["TILES_X"]; ok {
		return sh, int(wide), int(sh.Spec["TILES_Y"])
	}
	wide = gemmTilesX(m, n)
	return sh.With("TILES_X", uint32(wide)), wide, gemmTiles / wide
}

// gemmTilesX is how many of a workgroup's tiles lie side by side: the power of
// two nearest to a square that wastes the fewest of them on an (m, n) matrix.
func gemmTilesX(m, n int) int {
	best, least := 0, 0
	for _, wide := range []int{8, 4, 16, 2, 32, 1} {
		size := roundUp(n, gemmTile*wide) * roundUp(m, gemmTile*gemmTiles/wide)
		if best == 0 || size < least {
			best, least = wide, size
		}
	}
	return best
}

// gemmParts is into how many parts to cut the sum so that the device has
// enough to do: enoughGroups if that leaves 256 summands to each. No part may
// be too long to loop over, where four summands can take six rounds.
func gemmParts(s gemmSize) int {
	wide := gemmTilesX(s.M, s.N)
	groups := ceilDiv(s.N, gemmTile*wide) * ceilDiv(s.M, gemmTile*gemmTiles/wide)
	return max(ceilDiv(s.K, mostIterations/2), min(ceilDiv(enoughGroups, groups), s.K/256))
}

func ceilDiv(n, d int) int { return (n + d - 1) / d }

func roundUp(n, to int) int { return ceilDiv(n, to) * to }
