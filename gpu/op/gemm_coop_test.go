package op

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// onUnits reports a variant for matrix units.
func onUnits(v gpu.Variant) bool { return v.Needs&gpu.CoopMatrix != 0 }

// operandsOf is the type that such a variant rounds operands to.
func operandsOf(v gpu.Variant) gpu.Type {
	if v.Needs&gpu.BFloat16 != 0 {
		return gpu.BF16
	}
	return gpu.F16
}

var roundedCases = []gemmCase{
	{m: 4, n: 4, k: 4},
	{m: 8, n: 8, k: 32},
	{m: 36, n: 28, k: 36, alpha: -0.5},
	{m: 128, n: 128, k: 64}, // whole blocks
	{m: 100, n: 104, k: 36, bias: true, gelu: true, slope: true},
	{m: 68, n: 12, k: 40, factor: true},
	{m: 40, n: 132, k: 24, residual: true, bias: true, accumulate: true},
	{m: 12, n: 8, k: 1032, alpha: 2, accumulate: true}, // cut along k
	{m: 16, n: 16, k: 2048, bias: true, gelu: true, slope: true, factor: true, residual: true, accumulate: true},
	{m: 200, n: 32, k: 28, binding: 64 * 32 * 4, bias: true, gelu: true, slope: true, factor: true, residual: true},
	{m: 12, n: 20, k: 200, binding: 64 * 20 * 4, accumulate: true},
	{m: 196, n: 288, k: 96, bias: true},
	{m: 396, n: 384, k: 384, residual: true},
	{m: 36, n: 1536, k: 384, bias: true, gelu: true, slope: true},
	{m: 128, n: 256, k: 128, bias: true, gelu: true, slope: true},
	{m: 136, n: 264, k: 72, alpha: 2, bias: true, gelu: true, slope: true, factor: true, residual: true},
}

// runnable reports whether the device can run a variant for matrix units.
func runnable(caps gpu.Caps, v gpu.Variant) bool {
	if v.Needs&^gpu.SharedMemory&^caps.Features != 0 {
		return false
	}
	if v.Needs&gpu.CoopMatrix2 != 0 {
		return coop2Makes(caps, operandsOf(v), v.Spec)
	}
	_, ok := coopOf(caps, operandsOf(v), v.Spec)
	return ok
}

// Products on matrix units are those of the rounded operands, whatever type these
// are stored in: every case with every other size of block, each time in another
// transposition. Each is a shader that takes llvmpipe seconds to compile.
func TestGemmRounded(t *testing.T) {
	all := gemmKernel.Variants
	defer func() { gemmKernel.Variants = all }()
	caps := gputest.Open(t).Caps()
	if !slices.ContainsFunc(all, func(v gpu.Variant) bool { return onUnits(v) && runnable(caps, v) }) {
		t.Skip("the device has no matrix units for float16 or bfloat16")
	}
	for i, v := range all {
		if !onUnits(v) || !runnable(caps, v) {
			continue
		}
		gemmKernel.Variants = append([]gpu.Variant{forced(v)}, all[i+1:]...)
		for j, c := range roundedCases {
			if (i+j)%2 == 1 {
				continue
			}
			trans := []string{"NN", "NT", "TN", "TT"}[(i/2+j)%4]
			switch {
			case c.binding != 0 && c.k == 200:
				trans = "TN" // cut along k
			case c.binding != 0:
				trans = "NT" // cut along m
			}
			types := []gpu.Type{gpu.F32, gpu.F16, gpu.BF16}
			c.typ, c.a, c.b = operandsOf(v), types[(i+j)%3], types[(i+j/3)%3]
			if !c.accumulate && c.binding == 0 {
				c.out = types[j%3]
			}
			if v.Needs&gpu.CoopMatrix2 != 0 {
				if (c.m|c.n|c.k)%8 != 0 {
					continue
				}
				c.a, c.b = c.typ, c.typ
				if c.out != gpu.F32 {
					c.out = c.typ
				}
			}
			name := fmt.Sprintf("%s_%dx%d/%s/%v", v.Module, v.Spec["TILES_X"], v.Spec["TILES_Y"], trans, c)
			t.Run(name, func(t *testing.T) { testGemm(t, c, trans[0] == 'T', trans[1] == 'T') })
		}
	}
}

// unitCaps are those of a GPU with matrix units for float16.
func unitCaps() gpu.Caps {
	caps := gpu.MinimalCaps
	caps.Features = gpu.SharedMemory | gpu.CoopMatrix | gpu.MemoryModel | gpu.SubgroupSizeControl | gpu.Float16
	caps.Products = []gpu.MatrixProduct{{M: 16, N: 8, K: 16, Sums: gpu.ComponentF32}, {M: 16, N: 16, K: 16, Sums: gpu.ComponentF32}}
	caps.Units, caps.SubgroupSize, caps.MinSubgroup, caps.MaxSubgroup, caps.SharedBytes = 132, 32, 32, 32, 48<<10
	return caps
}

// shared is a product that workgroups of two sizes make.
func shared(p gpu.MatrixProduct) []gpu.WorkgroupProduct {
	return []gpu.WorkgroupProduct{{MatrixProduct: p, Invocations: 128}, {MatrixProduct: p, Invocations: 256}}
}

// sharedCaps are those of a GPU whose workgroups share matrices of both types.
func sharedCaps() gpu.Caps {
	caps := unitCaps()
	caps.Features |= gpu.BFloat16 | gpu.CoopMatrix2 | gpu.Storage16
	caps.Products = nil
	for _, operands := range []gpu.Component{gpu.ComponentF16, gpu.ComponentBF16} {
		p := gpu.MatrixProduct{M: 16, N: 16, K: 16, Operands: operands, Sums: gpu.ComponentF32}
		caps.Products = append(caps.Products, p)
		caps.WorkgroupProducts = append(caps.WorkgroupProducts, shared(p)...)
	}
	caps.WorkgroupProducts = append(caps.WorkgroupProducts, shared(gpu.MatrixProduct{M: 16, N: 16, K: 16, Sums: gpu.ComponentF16})...)
	caps.MaxMatrix = 256
	return caps
}

// Which block a GPU makes, and into how many parts it cuts the sums: ViT-S/16's
// products, and ones that matrix units are not for.
func TestGemmOnUnits(t *testing.T) {
	const tokens = 64 * 197
	unrounded := sharedCaps() // no results of 16 bits
	unrounded.WorkgroupProducts = slices.DeleteFunc(unrounded.WorkgroupProducts, func(p gpu.WorkgroupProduct) bool { return p.Sums == gpu.ComponentF16 })
	for _, c := range []struct {
		m, n, k     int
		transA      bool
		typ, stored gpu.Type
		caps        gpu.Caps
		module      string
		wide, tall  uint32
		groups      gpu.Groups
		parts       int
	}{
		{tokens, 1536, 384, false, gpu.F16, gpu.F16, unitCaps(), "gemm_coop", 16, 16, gpu.Groups{12, 99, 1}, 1},
		{tokens, 384, 1536, false, gpu.F16, gpu.F32, unitCaps(), "gemm_coop", 16, 16, gpu.Groups{3, 99, 1}, 1},
		{384, 1536, tokens, true, gpu.F16, gpu.F16, unitCaps(), "gemm_coop", 16, 16, gpu.Groups{12, 3, 1}, 3},
		{384, 384, tokens, true, gpu.F16, gpu.BF16, unitCaps(), "gemm_coop", 8, 16, gpu.Groups{6, 3, 1}, 7},
		{tokens, 96, 384, false, gpu.F16, gpu.F16, unitCaps(), "gemm_coop", 16, 16, gpu.Groups{1, 99, 1}, 1},
		{128, 256, 384, false, gpu.F16, gpu.F16, unitCaps(), "gemm_coop", 4, 4, gpu.Groups{8, 4, 1}, 1},
		{tokens, 1536, 384, false, gpu.F32, gpu.F32, unitCaps(), "gemm_shared_vec4", 16, 16, gpu.Groups{12, 99, 1}, 1},
		{tokens, 1536, 384, false, gpu.BF16, gpu.BF16, unitCaps(), "gemm_shared_vec4", 16, 16, gpu.Groups{12, 99, 1}, 1},
		{tokens, 1535, 384, false, gpu.F16, gpu.F32, unitCaps(), "gemm_shared", 8, 8, gpu.Groups{24, 197, 1}, 1},

		{tokens, 1536, 384, false, gpu.BF16, gpu.BF16, sharedCaps(), "gemm_coop2_bf16", 32, 16, gpu.Groups{6, 99, 1}, 1},
		{tokens, 384, 1536, false, gpu.F16, gpu.F16, sharedCaps(), "gemm_coop2", 16, 16, gpu.Groups{3, 99, 1}, 1},
		{384, 1536, tokens, true, gpu.BF16, gpu.BF16, sharedCaps(), "gemm_coop2_bf16", 32, 16, gpu.Groups{6, 3, 1}, 7},
		{128, 256, 384, false, gpu.BF16, gpu.BF16, sharedCaps(), "gemm_coop2_bf16", 8, 8, gpu.Groups{4, 2, 1}, 1},
		{tokens, 1536, 384, false, gpu.BF16, gpu.F16, sharedCaps(), "gemm_coop_bf16", 16, 16, gpu.Groups{12, 99, 1}, 1},
		{tokens, 1536, 384, false, gpu.BF16, gpu.BF16, unrounded, "gemm_coop_bf16", 16, 16, gpu.Groups{12, 99, 1}, 1},
		{tokens, 1536, 36, false, gpu.BF16, gpu.BF16, sharedCaps(), "gemm_coop_bf16", 16, 16, gpu.Groups{12, 99, 1}, 1},
		{tokens, 1536, 384, false, gpu.F32, gpu.F32, sharedCaps(), "gemm_shared_vec4", 16, 16, gpu.Groups{12, 99, 1}, 1},
	} {
		g, s := gpu.NewGraph(c.caps), gpu.NewStore()
		p := GEMM{A: s.New("a", c.stored, c.m, c.k), B: s.New("b", c.stored, c.k, c.n), C: s.New("c", gpu.F32, c.m, c.n), TransA: c.transA, Type: c.typ}
		if c.transA {
			p.A = p.A.Reshape(c.k, c.m)
		}
		size, err := p.size()
		if err != nil {
			t.Fatal(err)
		}
		sh, groups := p.shader(g, size)
		parts := size.parts(g.Caps(), sh, groups)
		if sh.Module != c.module || sh.Spec["TILES_X"] != c.wide || sh.Spec["TILES_Y"] != c.tall || groups != c.groups || parts != c.parts || g.Err() != nil {
			t.Errorf("%dx%dx%d in %v: %s %v in workgroups %v, %d parts, %v", c.m, c.n, c.k, c.typ, sh.Module, sh.Spec, groups, parts, g.Err())
		}
	}
}

// The self-test runs every size of block on matrix units, with a whole sum and what
// follows it, and with parts of one.
func TestSamplesOnUnits(t *testing.T) {
	caps := sharedCaps()
	caps.MaxPush = 256
	tasks, err := gpu.Tasks(caps, func(caps gpu.Caps) ([]*gpu.Graph, error) {
		g := gpu.NewGraph(caps)
		Samples(g)
		return []*gpu.Graph{g}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	gelu, tested := map[string]bool{}, map[string]bool{}
	for _, task := range tasks {
		for _, v := range task.Variants {
			tested[v] = true
			gelu[v] = gelu[v] || strings.Contains(task.Problem, "gelu")
		}
	}
	for i := range gemmKernel.Variants {
		if v := &gemmKernel.Variants[i]; onUnits(*v) && (!gelu[v.Name()] || !tested[v.Name()]) {
			t.Errorf("%s is not tested: %v, with GELU: %v", v.Name(), tested[v.Name()], gelu[v.Name()])
		}
	}
}

// How a device's matrix units make a block: NVIDIA's, RDNA 3's, Xe 2's and
// llvmpipe's.
func TestCoopOf(t *testing.T) {
	for _, c := range []struct {
		name                        string
		product                     gpu.MatrixProduct
		subgroup, min, max          uint32
		shared                      uint32
		wide, tall                  uint32
		invocations                 uint32
		ok                          bool
		subgroupOf, subgroups, side int
	}{
		{"NVIDIA", gpu.MatrixProduct{M: 16, N: 16, K: 16}, 32, 32, 32, 48 << 10, 16, 16, 256, true, 32, 8, 4},
		{"NVIDIA", gpu.MatrixProduct{M: 16, N: 16, K: 16}, 32, 32, 32, 48 << 10, 4, 4, 32, true, 32, 1, 1},
		{"RDNA 3", gpu.MatrixProduct{M: 16, N: 16, K: 16}, 64, 32, 64, 64 << 10, 16, 16, 256, true, 64, 4, 2},
		{"RDNA 3", gpu.MatrixProduct{M: 16, N: 16, K: 16}, 64, 32, 64, 64 << 10, 4, 4, 32, true, 64, 1, 1},
		{"Xe 2", gpu.MatrixProduct{M: 8, N: 16, K: 16}, 32, 16, 32, 64 << 10, 16, 16, 256, true, 16, 16, 4},
		{"llvmpipe", gpu.MatrixProduct{M: 8, N: 8, K: 8}, 8, 8, 8, 32 << 10, 16, 16, 256, true, 8, 32, 8},
		{"little shared memory", gpu.MatrixProduct{M: 16, N: 16, K: 16}, 32, 32, 32, 16 << 10, 16, 16, 256, false, 0, 0, 0},
		{"long product", gpu.MatrixProduct{M: 16, N: 16, K: 64}, 32, 32, 32, 48 << 10, 16, 16, 256, false, 0, 0, 0},
	} {
		caps := gpu.MinimalCaps
		c.product.Sums = gpu.ComponentF32
		caps.Products = []gpu.MatrixProduct{c.product}
		caps.SubgroupSize, caps.MinSubgroup, caps.MaxSubgroup, caps.SharedBytes = c.subgroup, c.min, c.max, c.shared
		spec := gpu.Spec{"TILES_X": c.wide, "TILES_Y": c.tall, "STEPS": coopSteps, "INVOCATIONS": c.invocations}
		got, ok := coopOf(caps, gpu.F16, spec)
		if ok != c.ok || ok && (got.subgroup != c.subgroupOf || got.subgroups != c.subgroups || got.across != c.side) {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
		if _, ok := coopOf(caps, gpu.BF16, spec); ok {
			t.Errorf("%s: products of bfloat16 without a unit for them", c.name)
		}
	}
}
