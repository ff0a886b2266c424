package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// variants runs a test with every variant of a kernel that the device can run
// ahead of the others. Those that round operands TestGemmRounded runs.
func variants(t *testing.T, k *gpu.Kernel, test func(t *testing.T)) {
	all := k.Variants
	defer func() { k.Variants = all }()
	for i, v := range all {
		if v.Needs&gpu.SharedMemory != 0 {
			v = forced(v)
		}
		if onUnits(v) || lacks(gputest.Open(t), v) {
			continue
		}
		v.Needs &^= gpu.QuickBroadcasts
		k.Variants = append([]gpu.Variant{v}, all[i+1:]...)
		t.Run(v.Name(), test)
	}
}

// forced is a variant for GPUs that runs on any device, and a product however
// small its matrices are.
func forced(v gpu.Variant) gpu.Variant {
	v.Needs &^= gpu.SharedMemory
	fits := v.Fits
	v.Fits = func(caps gpu.Caps, problem any) bool {
		if p, ok := problem.(gemmProblem); ok && onUnits(v) {
			return p.Type == operandsOf(v) && p.quads() && (v.Needs&gpu.CoopMatrix2 == 0 || p.direct())
		} else if ok {
			return v.Module == "gemm_shared" || p.quads()
		}
		return fits == nil || fits(caps, problem)
	}
	return v
}

// gemmCase is a product with what follows it.
type gemmCase struct {
	m, n, k                                         int
	alpha                                           float32
	bias, gelu, slope, factor, residual, accumulate bool
	binding                                         int64 // limit on a binding's bytes, 0 = the device's

	typ  gpu.Type // what operands are rounded to
	a, b gpu.Type // what they are stored in
	out  gpu.Type // what the result and its slope are, and the factor and the residual
}

func (c gemmCase) String() string {
	s := fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k)
	for _, o := range []struct {
		on   bool
		name string
	}{{c.alpha != 0, "alpha"}, {c.bias, "bias"}, {c.gelu, "gelu"}, {c.slope, "slope"}, {c.factor, "factor"},
		{c.residual, "residual"}, {c.accumulate, "accumulate"}, {c.binding != 0, "cut"}} {
		if o.on {
			s += "+" + o.name
		}
	}
	return s
}

var gemmCases = []gemmCase{
	{m: 1, n: 1, k: 1},
	{m: 31, n: 32, k: 33},
	{m: 33, n: 31, k: 32},
	{m: 32, n: 33, k: 31, alpha: -0.5},
	{m: 8, n: 8, k: 4},
	{m: 12, n: 20, k: 28, alpha: 3},
	{m: 97, n: 101, k: 89, bias: true},
	{m: 100, n: 104, k: 36, bias: true, gelu: true, slope: true},
	{m: 9, n: 7, k: 5, gelu: true},
	{m: 68, n: 12, k: 40, factor: true},
	{m: 37, n: 40, k: 24, residual: true, bias: true, accumulate: true},
	{m: 3, n: 2, k: 1031},                              // cut along k
	{m: 12, n: 8, k: 1030, alpha: 2, accumulate: true}, // the same, k no multiple of 4
	{m: 16, n: 16, k: 2048, bias: true, gelu: true, slope: true, factor: true, residual: true, accumulate: true},
	{m: 70, n: 64, k: 48},   // tiles that overhang below
	{m: 40, n: 36, k: 2400}, // and beside; the last part is shorter
	{m: 41, n: 96, k: 48, alpha: 2, bias: true, factor: true, residual: true, accumulate: true},
	{m: 33, n: 32, k: 64, bias: true, gelu: true, slope: true},
	{m: 130, n: 96, k: 384, residual: true},
	// In the tiles of gemm_lanes, of 6 x 32, 8 x 16 or as it divides; of one chunk of the sum, of several, in parts.
	{m: 72, n: 64, k: 48},
	{m: 40, n: 48, k: 2400},
	{m: 40, n: 64, k: 2080, bias: true, factor: true, residual: true, accumulate: true},
	{m: 42, n: 96, k: 48, alpha: 2, bias: true, factor: true, residual: true, accumulate: true},
	{m: 36, n: 32, k: 192, bias: true, residual: true, accumulate: true},
	{m: 36, n: 32, k: 64, bias: true, gelu: true, slope: true},
	{m: 40, n: 16, k: 192, alpha: -0.5, bias: true, gelu: true, slope: true},
	{m: 198, n: 288, k: 96, bias: true},
	{m: 36, n: 96, k: 80, accumulate: true},                     // five chunks: columns are back in their order
	{m: 24, n: 48, k: 240, bias: true, gelu: true, slope: true}, // and of 16 columns after four
	{m: 198, n: 96, k: 96, bias: true, gelu: true, slope: true}, // one chunk for GELU
	{m: 54, n: 192, k: 1056, accumulate: true, alpha: 2},        // workgroups side by side and below
	{m: 132, n: 96, k: 384, residual: true, factor: true},
	{m: 96, n: 32, k: 792},                            // weight gradients: with terms left over
	{m: 8, n: 32, k: 3367},                            // more than once
	{m: 65, n: 96, k: 96, bias: true, residual: true}, // tiles of 5 rows
	{m: 28, n: 48, k: 64, gelu: true, slope: true},    // and of 7
	{m: 200, n: 32, k: 28, binding: 64 * 32 * 4, bias: true, gelu: true, slope: true, factor: true, residual: true},
	{m: 13, n: 17, k: 200, binding: 64 * 17 * 4, accumulate: true},
}

// Every product without an epilogue runs in all transpositions, and every
// epilogue in one: each combination is a shader that the driver has to compile.
func TestGemm(t *testing.T) {
	variants(t, gemmKernel, func(t *testing.T) {
		for i, c := range gemmCases {
			list := []string{"NN", "NT", "TN", "TT"}
			switch {
			case c.binding != 0 && c.k == 200:
				list = list[2:3] // cut along k
			case c.binding != 0:
				list = list[1:2] // cut along m
			case c.bias || c.gelu || c.factor || c.residual || c.accumulate:
				list = list[i%4 : i%4+1]
			}
			for _, trans := range list {
				t.Run(fmt.Sprint(trans, "/", c), func(t *testing.T) { testGemm(t, c, trans[0] == 'T', trans[1] == 'T') })
			}
		}
	})
}

// Every variant adds up the parts that any product leaves.
func TestGemmReduce(t *testing.T) {
	variants(t, gemmReduceKernel, func(t *testing.T) {
		for _, c := range []gemmCase{
			{m: 72, n: 64, k: 1536}, {m: 40, n: 48, k: 2400, accumulate: true}, {m: 72, n: 64, k: 16384, accumulate: true},
			{m: 34, n: 48, k: 4096, alpha: 0.5, accumulate: true},
		} {
			t.Run(c.String(), func(t *testing.T) { testGemm(t, c, true, false) })
		}
	})
}

func testGemm(t *testing.T, c gemmCase, transA, transB bool) {
	k := gputest.New(t)
	if c.binding != 0 {
		caps := k.Dev.Caps()
		caps.MaxBinding = c.binding
		k.Graph = gpu.NewGraph(caps)
	}
	size := c.m * c.n
	a, b := gputest.Round(c.a, gputest.Normal(1, c.m*c.k)), gputest.Round(c.b, gputest.Normal(2, c.k*c.n))
	old, bias := gputest.Normal(3, size), gputest.Normal(4, c.n)
	factor, residual := gputest.Round(c.out, gputest.Normal(5, size)), gputest.Round(c.out, gputest.Normal(6, size))

	p := GEMM{TransA: transA, TransB: transB, Alpha: c.alpha, GELU: c.gelu, Accumulate: c.accumulate, Type: c.typ}
	p.A = k.InputAs("a", c.a, a, c.m, c.k)
	if transA {
		p.A = p.A.Reshape(c.k, c.m)
	}
	p.B = k.InputAs("b", c.b, b, c.k, c.n)
	if transB {
		p.B = p.B.Reshape(c.n, c.k)
	}
	out := k.Output("c", c.out, c.m, c.n)
	if c.accumulate {
		out = k.InOut("c", old, c.m, c.n)
	}
	p.C = out
	if c.bias {
		p.Bias = k.Input("bias", bias, c.n)
	}
	var slope *gpu.Tensor
	if c.slope {
		slope = k.Output("slope", c.out, c.m, c.n)
		p.Slope = slope
	}
	if c.factor {
		p.Factor = k.InputAs("factor", c.out, factor, c.m, c.n)
	}
	if c.residual {
		p.Residual = k.InputAs("residual", c.out, residual, c.m, c.n)
	}
	oldSums := gputest.Normal(7, c.m)
	var sums *gpu.Tensor
	if transA {
		sums = k.Output("sums", gpu.F32, c.m)
		if c.accumulate {
			sums = k.InOut("sums", oldSums, c.m)
		}
		p.Sums, p.AccumulateSums = sums, c.accumulate
	}
	if size, err := p.size(); err != nil {
		t.Fatal(err)
	} else if sh, _ := p.shader(k.Graph, size); c.typ.Narrow() && sh.Spec["STEPS"] == 0 {
		t.Fatalf("%s was chosen", sh.Module)
	}
	Gemm(k.Graph, p)
	k.Run()

	want, terms := ref.MatMul(gputest.Float64(gputest.Round(c.typ, a)), gputest.Float64(gputest.Round(c.typ, b)), c.m, c.n, c.k, transA, transB)
	wantSlope, slopeTerms := make([]float64, size), make([]float64, size)
	// Rounding of a sum of n terms grows as √n; GELU's own error is below 8
	// units, it stretches an error by at most 1.13 and its slope by 0.8.
	units := math.Sqrt(float64(c.k)) + 4
	if c.typ.Narrow() { // matrix units may truncate where they add to a sum, eight steps at a time or more
		units += float64(c.k) / 8
	}
	// What is rounded to 16 bits has a GELU of its own: 1.6e-5 and the device's
	// exp2, 3 + 2|x| units of x below 46 here.
	own, ownSlope := 8.0, 0.0 // of the value, and of the slope where that is near 0
	if c.out.Narrow() {
		own, ownSlope = 1.6e-5/gputest.Epsilon+3+2*46, 0.5
	}
	alpha := float64(c.alpha)
	if alpha == 0 {
		alpha = 1
	}
	for i := range want {
		v, e := alpha*want[i], math.Abs(alpha)*terms[i]
		if c.bias {
			v += float64(bias[i%c.n])
			e += math.Abs(float64(bias[i%c.n]))
		}
		if c.gelu {
			v, wantSlope[i] = ref.GELU(v)
			slopeTerms[i] = e + own/units*(math.Abs(wantSlope[i])+ownSlope)
			e = 1.13*e + own/units*math.Abs(v)
		}
		if c.factor {
			v *= float64(factor[i])
			e *= math.Abs(float64(factor[i]))
		}
		if c.residual {
			v += float64(residual[i])
			e += math.Abs(float64(residual[i]))
		}
		if c.accumulate {
			v += float64(old[i])
			e += math.Abs(float64(old[i]))
		}
		want[i], terms[i] = v, e
	}
	k.Near(out, want, stored(c.out, gputest.EpsTerms(units, terms)))
	if c.slope {
		k.Near(slope, wantSlope, stored(c.out, gputest.EpsTerms(units, slopeTerms)))
	}
	if sums == nil {
		return
	}
	wantSums, sumTerms := make([]float64, c.m), make([]float64, c.m)
	for i, v := range a { // stored (k, m)
		wantSums[i%c.m] += float64(v)
		sumTerms[i%c.m] += math.Abs(float64(v))
	}
	if c.accumulate {
		for i, v := range oldSums {
			wantSums[i] += float64(v)
			sumTerms[i] += math.Abs(float64(v))
		}
	}
	k.Near(sums, wantSums, gputest.EpsTerms(math.Sqrt(float64(c.k))+4, sumTerms))
}

// stored widens a bound by what the rounding to a type adds.
func stored(typ gpu.Type, bound gputest.Bound) gputest.Bound {
	unit, least := 0.0, 0.0
	switch typ {
	case gpu.F16:
		unit, least = 1.0/(1<<11), 1.0/(1<<25)
	case gpu.BF16:
		unit = 1.0 / (1 << 8)
	}
	return func(i int, want float64) float64 {
		e := bound(i, want)
		return e + unit*(math.Abs(want)+e) + least
	}
}

// GELU to a few units over its whole range, where the product adds no error.
func TestGELU(t *testing.T) {
	const n = 4001
	x := make([]float32, n)
	want, wantSlope := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = float32(i-n/2) / 250 // -8 to 8
		want[i], wantSlope[i] = ref.GELU(float64(x[i]))
	}
	k := gputest.New(t)
	y, slope := k.Output("y", gpu.F32, n, 1), k.Output("slope", gpu.F32, n, 1)
	one := k.Input("one", []float32{1}, 1, 1)
	Gemm(k.Graph, GEMM{A: k.Input("x", x, n, 1), B: one, C: y, GELU: true, Slope: slope})
	k.Run()
	// The argument of exp(-x^2/2) is rounded: x^2/2 units of relative error.
	k.Near(y, want, func(i int, want float64) float64 {
		v := float64(x[i])
		return gputest.Epsilon * (6 + v*v/2) * math.Abs(want)
	})
	k.Near(slope, wantSlope, func(i int, _ float64) float64 {
		v := float64(x[i])
		return gputest.Epsilon * (4 + v*v/2) * (ref.NormalCDF(v) + math.Abs(v)*math.Exp(-v*v/2))
	})
}

// The GELU of what is rounded to 16 bits, from where float16 has it as 0 on: its
// error of 1.6e-5 and exp2's, 3 + 2|x| units of x = 0.72 v^2, and the rounding.
func TestGELURounded(t *testing.T) {
	const n = 4004
	x := make([]float32, n)
	want, wantSlope := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = float32(i-n/2) / 320 // -6.25 to 6.25
		want[i], wantSlope[i] = ref.GELU(float64(x[i]))
	}
	for name, typ := range narrowTypes {
		t.Run(name, func(t *testing.T) {
			k := gputest.New(t)
			y, slope := k.Output("y", typ, n/4, 4), k.Output("slope", typ, n/4, 4)
			unit := k.Input("unit", []float32{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, 4, 4)
			Gemm(k.Graph, GEMM{A: k.Input("x", x, n/4, 4), B: unit, C: y, GELU: true, Slope: slope})
			k.Run()
			own := func(i int) float64 {
				v := float64(x[i])
				return 1.6e-5 + gputest.Epsilon*(8+2*0.72*v*v)
			}
			k.Near(y, want, stored(typ, func(i int, want float64) float64 { return own(i) * math.Abs(want) }))
			k.Near(slope, wantSlope, stored(typ, func(i int, _ float64) float64 {
				v := float64(x[i])
				return own(i) * (ref.NormalCDF(v) + math.Abs(v)*math.Exp(-v*v/2))
			}))
		})
	}
}

// What a GPU gets: large blocks where there are enough of them, and the variants
// for any device where its features are masked.
func TestGemmOnGPU(t *testing.T) {
	for _, c := range []struct {
		m, n, k    int
		transA     bool
		features   gpu.Features
		module     string
		wide, tall uint32 // tiles of a block
		groups     gpu.Groups
	}{
		{m: 16384, n: 1536, k: 384, features: gpu.SharedMemory, module: "gemm_shared_vec4", wide: 16, tall: 16, groups: gpu.Groups{12, 128, 1}},
		{m: 65536, n: 64, k: 384, features: gpu.SharedMemory, module: "gemm_shared_vec4", wide: 8, tall: 16, groups: gpu.Groups{1, 512, 1}},
		{m: 1000, n: 100, k: 64, features: gpu.SharedMemory, module: "gemm_shared_vec4", wide: 8, tall: 8, groups: gpu.Groups{2, 16, 1}},
		{m: 384, n: 384, k: 16384, transA: true, features: gpu.SharedMemory, module: "gemm_shared_vec4", wide: 8, tall: 8, groups: gpu.Groups{6, 6, 1}},
		{m: 16384, n: 1535, k: 384, features: gpu.SharedMemory, module: "gemm_shared", wide: 8, tall: 8, groups: gpu.Groups{24, 256, 1}},
		{m: 1024, n: 64, k: 64, module: "gemm_texel", wide: 8, groups: gpu.Groups{1, 16, 1}},
	} {
		caps := gpu.MinimalCaps
		caps.Features = c.features
		g, s := gpu.NewGraph(caps), gpu.NewStore()
		p := GEMM{A: s.New("a", gpu.F32, c.m, c.k), B: s.New("b", gpu.F32, c.k, c.n), C: s.New("c", gpu.F32, c.m, c.n), TransA: c.transA}
		if c.transA {
			p.A = p.A.Reshape(c.k, c.m)
		}
		size, err := p.size()
		if err != nil {
			t.Fatal(err)
		}
		sh, groups := p.shader(g, size)
		if sh.Module != c.module || sh.Spec["TILES_X"] != c.wide || sh.Spec["TILES_Y"] != c.tall || groups != c.groups || g.Err() != nil {
			t.Errorf("%dx%dx%d: %s %v in workgroups %v, %v", c.m, c.n, c.k, sh.Module, sh.Spec, groups, g.Err())
		}
	}
}

func TestGemmRefuses(t *testing.T) {
	for _, c := range []struct {
		name          string
		a, b, c, bias []int
	}{
		{"inner extents", []int{3, 4}, []int{5, 6}, []int{3, 6}, nil},
		{"product", []int{3, 4}, []int{4, 6}, []int{3, 5}, nil},
		{"bias", []int{3, 4}, []int{4, 6}, []int{3, 6}, []int{3}},
	} {
		g := gpu.NewGraph(gpu.MinimalCaps)
		s := gpu.NewStore()
		p := GEMM{A: s.New("a", gpu.F32, c.a...), B: s.New("b", gpu.F32, c.b...), C: s.New("c", gpu.F32, c.c...)}
		if c.bias != nil {
			p.Bias = s.New("bias", gpu.F32, c.bias...)
		}
		Gemm(g, p)
		if g.Err() == nil {
			t.Errorf("a wrong %s was recorded", c.name)
		}
	}
}

// BenchmarkGemm times the products of the small model's blocks: 64 images of
// 198 tokens, width 96.
func BenchmarkGemm(b *testing.B) {
	const rows = 64 * 198
	for _, c := range []struct {
		name           string
		m, n, k        int
		transA, transB bool
	}{
		{"qkv", rows, 288, 96, false, true},
		{"proj", rows, 96, 96, false, true},
		{"fc1", rows, 384, 96, false, true},
		{"fc2", rows, 96, 384, false, true},
		{"dx_qkv", rows, 96, 288, false, false},
		{"dx_fc1", rows, 96, 384, false, false},
		{"dx_fc2", rows, 384, 96, false, false},
		{"dw_qkv", 288, 96, rows, true, false},
		{"dw_proj", 96, 96, rows, true, false},
		{"dw_fc1", 384, 96, rows, true, false},
		{"dw_fc2", 96, 384, rows, true, false},
		{"patch", 64 * 192, 96, 48, false, true},
		{"head", 384, 1024, 64, false, true},
		{"square", 1024, 1024, 1024, false, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			flops := int64(2 * c.m * c.n * c.k)
			benchmark(b, 0, flops, func(g *gpu.Graph, s *source) {
				x, y := s.normal(c.m, c.k), s.normal(c.k, c.n)
				p := GEMM{A: x, B: y, C: s.normal(c.m, c.n), TransA: c.transA, TransB: c.transB}
				if c.transA {
					p.A = x.Reshape(c.k, c.m)
				}
				if c.transB {
					p.B = y.Reshape(c.n, c.k)
				}
				Gemm(g, p)
			})
		})
	}
}
