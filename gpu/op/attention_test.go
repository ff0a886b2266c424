package op

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// lengths lists the length of every sequence of the runs.
func lengths(runs []Run) []int {
	var list []int
	for _, r := range runs {
		for range r.Sequences {
			list = append(list, r.Length)
		}
	}
	return list
}

// attentionTerms gives for o and for dqkv the sums of the absolute values of
// what is added up for each element.
func attentionTerms(qkv, do []float64, heads, hd int, runs []Run) (o, dqkv []float64) {
	o, dqkv = make([]float64, len(qkv)/3), make([]float64, len(qkv))
	scale := 1 / math.Sqrt(float64(hd))
	base := 0
	for _, length := range lengths(runs) {
		rows := qkv[base*3*heads*hd : (base+length)*3*heads*hd]
		probs := ref.AttentionProbs(rows, heads, hd, length, length)
		for h := range heads {
			at := func(token, which int) int { return ((token*3+which)*heads + h) * hd }
			for i := range length {
				p := probs[(h*length+i)*length:][:length]
				q, g := at(base+i, 0), ((base+i)*heads+h)*hd
				dp := make([]float64, length)
				var mean float64
				for j := range length {
					v := at(base+j, 2)
					for d := range hd {
						dp[j] += math.Abs(do[g+d] * qkv[v+d])
					}
					mean += p[j] * dp[j]
				}
				for j := range length {
					k, v := at(base+j, 1), at(base+j, 2)
					ds := scale * p[j] * (dp[j] + mean)
					for d := range hd {
						o[g+d] += p[j] * math.Abs(qkv[v+d])
						dqkv[q+d] += ds * math.Abs(qkv[k+d])
						dqkv[k+d] += ds * math.Abs(qkv[q+d])
						dqkv[v+d] += p[j] * math.Abs(do[g+d])
					}
				}
			}
		}
		base += length
	}
	return o, dqkv
}

// attentionUnits is how many Epsilon, relative to its terms, an element of
// attention may err: a score's rounding errors and those of exp2, which
// Vulkan allows 3 + 2|x| units, become relative errors of a probability.
// A score's terms, in powers of two, add up to at most |q| |k| log2(e) hd^-1/2.
func attentionUnits(qkv []float64, heads, hd int) float64 {
	var longest [3]float64 // squares of q, k, v
	for at := 0; at < len(qkv); at += hd {
		var square float64
		for _, x := range qkv[at : at+hd] {
			square += x * x
		}
		which := at / hd / heads % 3
		longest[which] = max(longest[which], square)
	}
	score := math.Sqrt(longest[0]*longest[1]/float64(hd)) * math.Log2E
	return 8 + (4+math.Sqrt(float64(hd)))*score
}

var attentionCases = []struct {
	name      string
	heads, hd int
	runs      []Run
	large     float64 // factor on the scores
}{
	{"one token", 1, 4, []Run{{1, 1}}, 1},
	{"lengths around 32", 2, 8, []Run{{2, 31}, {1, 32}, {3, 33}}, 1},
	{"small recipe", 3, 32, []Run{{4, 65}, {5, 17}}, 1},
	{"ViT-S/16 crops", 1, 64, []Run{{2, 197}, {3, 37}}, 1},
	{"ViT-S/8 crop", 1, 12, []Run{{1, 785}}, 1},
	{"ViT-S/14 crop", 1, 16, []Run{{1, 257}, {2, 50}}, 1},
	{"odd heads", 3, 7, []Run{{2, 13}, {1, 5}}, 1},
	{"two over", 1, 18, []Run{{1, 19}}, 1},
	{"longest head", 1, 128, []Run{{1, 21}}, 1},
	{"large scores", 2, 16, []Run{{2, 40}}, 20},
	{"lengths around those in straight code", 2, 16, []Run{{1, 13}, {2, 14}, {1, 15}, {2, 16}, {1, 162}, {1, 163}}, 1},
	{"one span of straight code and two", 1, 32, []Run{{1, 3}, {2, 81}, {1, 82}}, 20},
	{"many spans", 1, 128, []Run{{1, 203}, {2, 20}}, 1},
	{"photographs", 1, 64, []Run{{1, 197}, {2, 37}}, 1},
}

// Drivers on processors and on graphics cards, told by their kind and
// features, get other variants; all must be right on any device.
func attentionCaps(dev *gpu.Device, kind string) gpu.Caps {
	caps := dev.Caps()
	features := caps.Features
	caps.Kind = gpu.Discrete
	caps.Features &^= gpu.SharedMemory | gpu.UniformLoads
	switch kind {
	case "llvmpipe":
		caps.Kind = gpu.CPU
		caps.Features |= features & gpu.UniformLoads
	case "processor":
		caps.Kind = gpu.CPU
	case "matrix units":
		caps.Features |= gpu.SharedMemory
	case "shared memory":
		caps.Features = caps.Features&^gpu.CoopMatrix | gpu.SharedMemory
	}
	return caps
}

func TestAttention(t *testing.T) {
	for _, c := range attentionCases {
		for _, kind := range []string{"llvmpipe", "processor", "registers", "shared memory"} {
			for _, accumulate := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/accumulate=%v", c.name, kind, accumulate), func(t *testing.T) {
					testAttention(t, attentionCaps(gputest.Open(t), kind), gpu.F32, c.heads, c.hd, c.runs, c.large, accumulate)
				})
			}
		}
	}
}

// The backward in straight code is alone in its kernel, so that it must be what is
// picked, also where it is right but slower than others: on Mesa 22.3.
func TestAttentionStraightBackward(t *testing.T) {
	if gputest.Open(t).Caps().Features&gpu.UniformLoads == 0 {
		t.Skip("no llvmpipe")
	}
	caps := attentionCaps(gputest.Open(t), "llvmpipe")
	caps.Features |= gpu.QuickBroadcasts
	all := attentionBwdQ.Variants
	defer func() { attentionBwdQ.Variants = all }()
	attentionBwdQ.Variants = all[:3]
	for _, accumulate := range []bool{false, true} {
		t.Run(fmt.Sprintf("accumulate=%v", accumulate), func(t *testing.T) {
			testAttention(t, caps, gpu.F32, 2, 32, []Run{{1, 14}, {2, 17}, {1, 24}, {1, 82}}, 1, accumulate)
		})
	}
}

// On matrix units, in every shape: each is alone in the kernels that have it, so
// that it must be what is picked.
func TestAttentionOnMatrixUnits(t *testing.T) {
	caps := attentionCaps(gputest.Open(t), "matrix units")
	for name, typ := range narrowTypes {
		for _, c := range []struct {
			module                string
			rows, cols, heads, hd int
			runs                  []Run
			large                 float64
			accumulate            bool
		}{
			{"_coop2", 1, 2, 2, 16, []Run{{1, 1}, {2, 16}, {1, 17}, {1, 31}, {1, 33}, {1, 65}}, 20, true},
			{"_coop", 1, 2, 2, 16, []Run{{1, 1}, {2, 16}, {1, 17}, {1, 31}, {1, 33}, {1, 65}}, 20, true},
			{"_coop2", 1, 4, 2, 16, []Run{{1, 101}, {2, 37}}, 1, false},
			{"_coop", 2, 4, 1, 16, []Run{{2, 50}, {1, 197}}, 1, false},
		} {
			t.Run(fmt.Sprintf("%s/%s %dx%d", name, c.module, c.rows, c.cols), func(t *testing.T) {
				for _, k := range []*gpu.Kernel{attentionFwd, attentionBwdQ, attentionBwdKV} {
					all := k.Variants
					defer func() { k.Variants = all }()
					k.Variants = slices.DeleteFunc(slices.Clone(all), func(v gpu.Variant) bool {
						module := k.Name + c.module
						if typ == gpu.BF16 {
							module += "_bf16"
						}
						return v.Module != module || v.Spec["ROWS"] != uint32(c.rows) || v.Spec["COLS"] != uint32(c.cols)
					})
					for i := range k.Variants {
						if k.Variants[i].Needs&^caps.Features != 0 {
							t.Skip("the device has no such matrix units")
						}
						k.Variants[i].Fits = nil
					}
					if len(k.Variants) == 0 {
						k.Variants = all
					}
				}
				testAttention(t, caps, typ, c.heads, c.hd, c.runs, c.large, c.accumulate)
			})
		}
	}
}

// Every tile makes blocks of its own, among them those that no sequence here
// fills and those that one sequence fills; rows are of quads that change places
// and of an odd number of quads.
func TestAttentionTiles(t *testing.T) {
	kernels := []*gpu.Kernel{attentionFwd, attentionBwdQ, attentionBwdKV}
	for i, tile := range attentionTiles {
		heads, hd, runs := 1, 32, []Run{{1, 1}, {1, 16}, {2, 17}, {1, 31}, {1, 33}, {1, 40}, {1, 64}}
		if i%2 == 1 {
			heads, hd, runs = 2, 20, []Run{{2, 37}, {1, 65}, {1, 7}}
		}
		t.Run(fmt.Sprintf("%dx%d/hd=%d", tile.rows, tile.cols, hd), func(t *testing.T) {
			for _, k := range kernels {
				all := k.Variants
				defer func() { k.Variants = all }()
				k.Variants = nil
				for _, v := range all {
					if v.Spec["ROWS"] == uint32(tile.rows) && v.Spec["COLS"] == uint32(tile.cols) {
						v.Fits = func(_ gpu.Caps, problem any) bool {
							return v.Module != attentionOnce || tile.rows == tile.cols && problem.(attentionProblem).length <= 8*tile.rows
						}
						k.Variants = append(k.Variants, v)
					}
				}
			}
			testAttention(t, attentionCaps(gputest.Open(t), "shared memory"), gpu.F32, heads, hd, runs, 1, false)
		})
	}
}

// The sequences of the published recipes go through shared memory on devices
// with as much of it as the weakest GPUs have, 32 KiB, and those of 48.
func TestAttentionChoice(t *testing.T) {
	for _, c := range []struct {
		length, hd, bytes int
		fwd, bwd          string
	}{
		{197, 64, 32 << 10, "attention_fwd_shared 5x5", "attention_bwd_q_shared 4x3, attention_bwd_kv_shared 4x3"},
		{197, 64, 48 << 10, "attention_fwd_shared 5x5", "attention_bwd_q_shared 5x5, attention_bwd_kv_shared 5x5"},
		{37, 64, 48 << 10, "attention_fwd_shared 5x5", "attention_bwd_once_shared 5x5"},
		{65, 32, 32 << 10, "attention_fwd_shared 5x5", "attention_bwd_q_shared 5x5, attention_bwd_kv_shared 5x5"},
		{17, 32, 32 << 10, "attention_fwd_shared 3x3", "attention_bwd_once_shared 3x3"},
		{257, 64, 64 << 10, "attention_fwd_shared 5x5", "attention_bwd_q_shared 5x5, attention_bwd_kv_shared 5x5"},
		{197, 63, 64 << 10, "attention_fwd_odd 1x0", "attention_bwd_q_odd 1x0, attention_bwd_kv_odd 1x0"},
	} {
		caps := gpu.MinimalCaps
		caps.Features, caps.SubgroupSize, caps.SharedBytes = gpu.SharedMemory, 32, uint32(c.bytes)
		g := gpu.NewGraph(caps)
		s, qkv := stretch{Run: Run{1, c.length}, rows: c.length}, g.New("qkv", gpu.F32, c.length, 3*c.hd)
		name := func(k *gpu.Kernel) string {
			sh := s.attentionShader(g, k, qkv, 1)
			return fmt.Sprintf("%s %dx%d", sh.Module, sh.Spec["ROWS"], sh.Spec["COLS"])
		}
		fwd, bwd := name(attentionFwd), name(attentionBwdQ)
		if s.attentionShader(g, attentionBwdQ, qkv, 1).Module != attentionOnce {
			bwd += ", " + name(attentionBwdKV)
		}
		if fwd != c.fwd || bwd != c.bwd {
			t.Errorf("%d tokens, head of %d, %d bytes: %s; %s: want %s; %s", c.length, c.hd, c.bytes, fwd, bwd, c.fwd, c.bwd)
		}
	}
}

// On matrix units the sequences of ViT-S/16 are divided evenly, within the shared
// memory and the invocations that devices have.
func TestAttentionArrangement(t *testing.T) {
	nvidia := gpu.Caps{SubgroupSize: 32, MinSubgroup: 32, MaxSubgroup: 32, SharedBytes: 48 << 10, MaxInvocations: 1024, MaxSize: [3]uint32{1024}}
	amd := gpu.Caps{SubgroupSize: 64, MinSubgroup: 32, MaxSubgroup: 64, SharedBytes: 64 << 10, MaxInvocations: 1024, MaxSize: [3]uint32{1024}}
	intel := gpu.Caps{SubgroupSize: 32, MinSubgroup: 16, MaxSubgroup: 32, SharedBytes: 64 << 10, MaxInvocations: 1024, MaxSize: [3]uint32{1024}}
	llvmpipe := gpu.Caps{SubgroupSize: 8, MinSubgroup: 8, MaxSubgroup: 8, SharedBytes: 32 << 10, MaxInvocations: 1024, MaxSize: [3]uint32{1024}}
	for _, c := range []struct {
		name                string
		caps                gpu.Caps
		m, n, k             int
		typ                 gpu.Type
		shape               attentionShape
		length, hd          int
		subgroup, subgroups int // 0: it does not fit
	}{
		{"NVIDIA", nvidia, 16, 16, 16, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1}, 197, 64, 32, 7},
		{"NVIDIA, one block", nvidia, 16, 16, 16, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1}, 37, 64, 32, 3},
		{"NVIDIA, tall", nvidia, 16, 16, 16, gpu.F16, attentionShape{rows: 2, cols: 4, kinds: 1}, 197, 64, 32, 4},
		{"NVIDIA, through float32", nvidia, 16, 16, 16, gpu.BF16, attentionShape{rows: 1, cols: 4, kinds: 1}, 197, 64, 32, 5},
		{"NVIDIA, converting", nvidia, 16, 16, 16, gpu.BF16, attentionShape{rows: 1, cols: 4, kinds: 1, converts: true}, 197, 64, 32, 7},
		{"NVIDIA, keys", nvidia, 16, 16, 16, gpu.F16, attentionShape{rows: 1, cols: 2, kinds: 2}, 197, 64, 32, 7},
		{"operands wider than sums", nvidia, 16, 8, 16, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1, converts: true}, 197, 64, 0, 0},
		{"AMD", amd, 16, 16, 16, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1}, 197, 64, 64, 7},
		{"Intel", intel, 8, 16, 16, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1}, 197, 64, 16, 7},
		{"llvmpipe", llvmpipe, 8, 8, 8, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1}, 257, 64, 8, 7},
		{"odd head", nvidia, 16, 16, 16, gpu.F16, attentionShape{rows: 1, cols: 4, kinds: 1}, 197, 24, 0, 0},
	} {
		for _, sums := range []gpu.Component{gpu.ComponentF32, component(c.typ)} {
			c.caps.Products = append(c.caps.Products, gpu.MatrixProduct{M: c.m, N: c.n, K: c.k, Operands: component(c.typ), Sums: sums})
		}
		a, ok := c.shape.arrange(c.caps, attentionProblem{hd: c.hd, length: c.length, typ: c.typ})
		if ok != (c.subgroups > 0) || ok && (a.subgroup != c.subgroup || a.subgroups != c.subgroups) {
			t.Errorf("%s: %+v, %v: want %d subgroups of %d", c.name, a, ok, c.subgroups, c.subgroup)
		}
	}
}

// Where a binding can span only some sequences, attention goes over them in
// stretches.
func TestAttentionSmallBinding(t *testing.T) {
	caps := gputest.Open(t).Caps()
	caps.MaxBinding = 256 * 3 * 3 * 8 * 4
	testAttention(t, caps, gpu.F32, 3, 8, []Run{{9, 65}, {20, 17}}, 1, false)
}

// Where texel buffers are small, a CPU too reads storage buffers.
func TestAttentionFewTexels(t *testing.T) {
	caps := attentionCaps(gputest.Open(t), "processor")
	caps.MaxTexels = 1
	testAttention(t, caps, gpu.F32, 1, 8, []Run{{3, 11}}, 1, false)
}

// Equal keys make every probability 1/T, so that a long sequence has a plain
// result: o is the mean of v, dv that of do, dq = 0, and
//
//	dk_j = hd^-1/2 / T  sum_i (do_i . (v_j - mean v)) q_i
//
// Were the loops over a head not unrolled, llvmpipe would leave them early here.
func TestAttentionLong(t *testing.T) {
	const tokens, hd = 1100, 128
	qkv, do := gputest.Normal(1, tokens*3*hd), gputest.Normal(2, tokens*hd)
	for i := range tokens {
		copy(qkv[(3*i+1)*hd:(3*i+2)*hd], qkv[hd:2*hd])
	}
	c := gputest.New(t)
	tape := NewTape(c.Graph)
	in, din, _ := leaf(c, tape, "qkv", qkv, false, tokens, 3*hd)
	o := Attention(tape, in, 1, []Run{{1, tokens}})
	kept := c.Keep(o)
	tape.Backward(o, c.Input("do", do, tokens, hd))
	c.Run()

	mean := func(row func(i int) []float32) (m, abs []float64, norm float64) {
		m, abs = make([]float64, hd), make([]float64, hd)
		for i := range tokens {
			var square float64
			for d, x := range row(i) {
				m[d] += float64(x) / tokens
				abs[d] += math.Abs(float64(x)) / tokens
				square += float64(x) * float64(x)
			}
			norm = max(norm, math.Sqrt(square))
		}
		return m, abs, norm
	}
	v := func(i int) []float32 { return qkv[(3*i+2)*hd : (3*i+3)*hd] }
	q := func(i int) []float32 { return qkv[3*i*hd : (3*i+1)*hd] }
	g := func(i int) []float32 { return do[i*hd : (i+1)*hd] }
	meanV, absV, normV := mean(v)
	meanG, absG, normG := mean(g)
	_, absQ, _ := mean(q)
	outer := make([]float64, hd*hd) // mean of q_i do_iᵀ
	for i := range tokens {
		for a, x := range q(i) {
			for b, y := range g(i) {
				outer[a*hd+b] += float64(x) * float64(y) / tokens
			}
		}
	}
	var want, terms, dwant, dterms []float64
	scale := 1 / math.Sqrt(hd)
	for i := range tokens {
		want, terms = append(want, meanV...), append(terms, absV...)
		dwant = append(dwant, make([]float64, 2*hd)...)
		for d := range hd {
			dterms = append(dterms, scale*2*normG*normV*math.Abs(float64(qkv[hd+d])))
		}
		for d := range hd {
			dk := &dwant[(3*i+1)*hd+d]
			for e, x := range v(i) {
				*dk += scale * outer[d*hd+e] * (float64(x) - meanV[e])
			}
			dterms = append(dterms, scale*2*normG*normV*absQ[d])
		}
		dwant, dterms = append(dwant, meanG...), append(dterms, absG...)
	}
	units := attentionUnits(gputest.Float64(qkv), 1, hd)
	c.Near(kept, want, gputest.EpsTerms(units, terms))
	c.Near(din, dwant, gputest.EpsTerms(2*units, dterms))
}

func testAttention(t *testing.T, caps gpu.Caps, typ gpu.Type, heads, hd int, runs []Run, large float64, accumulate bool) {
	tokens := Tokens(runs)
	qkv, do := gputest.Normal(1, tokens*3*heads*hd), gputest.Normal(2, tokens*heads*hd)
	for i := range qkv {
		if i/(heads*hd)%3 == 0 {
			qkv[i] *= float32(large)
		}
	}
	qkv, do = gputest.Round(typ, qkv), gputest.Round(typ, do)
	c := gputest.New(t)
	c.Graph = gpu.NewGraph(caps)
	tape := NewTape(c.Graph)
	tape.Type = typ
	in := c.InputAs("qkv", typ, qkv, tokens, 3*heads*hd)
	before := make([]float32, len(qkv))
	din := c.Output("dqkv", typ, tokens, 3*heads*hd)
	if accumulate {
		before = gputest.Round(typ, gputest.Normal(3, len(qkv)))
		din = c.InOutAs("dqkv", typ, before, tokens, 3*heads*hd)
	}
	tape.Param(in, din, accumulate)
	o := Attention(tape, in, heads, runs)
	kept := c.Keep(o)
	tape.Backward(o, c.InputAs("do", typ, do, tokens, heads*hd))
	c.Run()

	wide, up := gputest.Float64(qkv), gputest.Float64(do)
	want, _ := ref.Attention(wide, heads, hd, lengths(runs))
	dwant := ref.AttentionBackward(wide, up, heads, hd, lengths(runs))
	terms, dterms := attentionTerms(wide, up, heads, hd, runs)
	for i, b := range before {
		dwant[i] += float64(b)
		dterms[i] += math.Abs(float64(b))
	}
	units := attentionUnits(wide, heads, hd)
	rounding := map[gpu.Type]float64{gpu.F16: 1 << 12, gpu.BF16: 1 << 15}[typ] // half a unit of the type
	// Rounded are the probabilities and o; then the gradients of scores, twice o
	// in delta, and the gradient before and after it is added.
	c.Near(kept, want, gputest.EpsTerms(units+2*rounding, terms))
	c.Near(din, dwant, gputest.EpsTerms(2*units+5*rounding, dterms))
}

func TestAttentionProbs(t *testing.T) {
	for _, c := range []struct{ sequences, length, heads, hd, queries int }{
		{1, 1, 1, 1, 1}, {3, 33, 2, 7, 1}, {2, 17, 3, 32, 17}, {1, 197, 6, 64, 1}, {1, 3601, 1, 128, 1}, {1, 30_000, 1, 3, 1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			tokens := c.sequences * c.length
			qkv := gputest.Normal(1, tokens*3*c.heads*c.hd)
			k := gputest.New(t)
			probs := AttentionProbs(NewTape(k.Graph), k.Input("qkv", qkv, tokens, 3*c.heads*c.hd), c.heads, c.length, c.queries)
			kept := k.Keep(probs)
			k.Run()
			wide := gputest.Float64(qkv)
			want := ref.AttentionProbs(wide, c.heads, c.hd, c.length, c.queries)
			k.Near(kept, want, gputest.Eps(attentionUnits(wide, c.heads, c.hd)))
		})
	}
}

func BenchmarkAttention(b *testing.B) {
	for _, c := range []struct {
		name      string
		heads, hd int
		runs      []Run
	}{
		{"small recipe", 3, 32, []Run{{128, 65}, {256, 17}}},
		{"ViT-S 16", 6, 64, []Run{{4, 197}, {16, 37}}},
	} {
		tokens, width := Tokens(c.runs), c.heads*c.hd
		flops := int64(0) // of one product of queries and keys in all heads
		for _, r := range c.runs {
			flops += int64(2 * r.Sequences * r.Length * r.Length * width)
		}
		bytes := int64(4 * tokens * width) // of one of q, k, v, o
		b.Run(c.name+"/fwd", func(b *testing.B) {
			benchmark(b, 4*bytes, 2*flops, func(g *gpu.Graph, s *source) {
				Attention(NewTape(g), s.normal(tokens, 3*width), c.heads, c.runs)
			})
		})
		b.Run(c.name+"/bwd", func(b *testing.B) {
			benchmark(b, 13*bytes, 7*flops, func(g *gpu.Graph, s *source) {
				qkv, o, lse := s.normal(tokens, 3*width), s.normal(tokens, width), s.normal(tokens, c.heads)
				t := NewTape(g)
				t.Param(qkv, s.normal(tokens, 3*width), false)
				attentionBackward(t, qkv, o, lse, s.normal(tokens, width), c.heads, c.runs)
			})
		})
	}
}
