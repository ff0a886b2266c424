package op

import (
	"fmt"
	"math"
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
// what is added up for each element, and the largest sum of a score's terms,
// in powers of two.
func attentionTerms(qkv, do []float64, heads, hd int, runs []Run) (o, dqkv []float64, score float64) {
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
					k, v := at(base+j, 1), at(base+j, 2)
					var s float64
					for d := range hd {
						s += math.Abs(qkv[q+d]*qkv[k+d]) * scale * math.Log2E
						dp[j] += math.Abs(do[g+d] * qkv[v+d])
					}
					score = max(score, s)
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
	return o, dqkv, score
}

// attentionUnits is how many Epsilon, relative to its terms, an element of
// attention may err: a score's rounding errors and those of exp2, which
// Vulkan allows 3 + 2|x| units, become relative errors of a probability.
func attentionUnits(score float64, hd int) float64 {
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
	{"odd heads", 3, 7, []Run{{2, 13}, {1, 5}}, 1},
	{"long odd head", 1, 33, []Run{{1, 19}}, 1},
	{"longest head", 1, 128, []Run{{1, 21}}, 1},
	{"large scores", 2, 16, []Run{{2, 40}}, 20},
}

func TestAttention(t *testing.T) {
	for _, c := range attentionCases {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/accumulate=%v", c.name, accumulate), func(t *testing.T) {
				testAttention(t, c.heads, c.hd, c.runs, c.large, accumulate, 0)
			})
		}
	}
}

// Where a binding can span only some sequences, attention goes over them in
// stretches.
func TestAttentionSmallBinding(t *testing.T) {
	testAttention(t, 3, 8, []Run{{9, 65}, {20, 17}}, 1, false, 256*3*3*8*4)
}

func testAttention(t *testing.T, heads, hd int, runs []Run, large float64, accumulate bool, binding int64) {
	tokens := Tokens(runs)
	qkv, do := gputest.Normal(1, tokens*3*heads*hd), gputest.Normal(2, tokens*heads*hd)
	for i := range qkv {
		if i/(heads*hd)%3 == 0 {
			qkv[i] *= float32(large)
		}
	}
	c := gputest.New(t)
	if binding > 0 {
		caps := c.Dev.Caps()
		caps.MaxBinding = binding
		c.Graph = gpu.NewGraph(caps)
	}
	tape := NewTape(c.Graph)
	in := c.Input("qkv", qkv, tokens, 3*heads*hd)
	before := make([]float32, len(qkv))
	din := c.Output("dqkv", gpu.F32, tokens, 3*heads*hd)
	if accumulate {
		before = gputest.Normal(3, len(qkv))
		din = c.InOut("dqkv", before, tokens, 3*heads*hd)
	}
	tape.Param(in, din, accumulate)
	o := Attention(tape, in, heads, runs)
	kept := c.Keep(o)
	tape.Backward(o, c.Input("do", do, tokens, heads*hd))
	c.Run()

	wide, up := gputest.Float64(qkv), gputest.Float64(do)
	want, _ := ref.Attention(wide, heads, hd, lengths(runs))
	dwant := ref.AttentionBackward(wide, up, heads, hd, lengths(runs))
	terms, dterms, score := attentionTerms(wide, up, heads, hd, runs)
	for i, b := range before {
		dwant[i] += float64(b)
		dterms[i] += math.Abs(float64(b))
	}
	units := attentionUnits(score, hd)
	c.Near(kept, want, gputest.EpsTerms(units, terms))
	c.Near(din, dwant, gputest.EpsTerms(2*units, dterms))
}

func TestAttentionProbs(t *testing.T) {
	for _, c := range []struct{ sequences, length, heads, hd, queries int }{
		{1, 1, 1, 1, 1}, {3, 33, 2, 7, 1}, {2, 17, 3, 32, 17}, {1, 197, 6, 64, 1},
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
			_, _, score := attentionTerms(wide, make([]float64, tokens*c.heads*c.hd), c.heads, c.hd, []Run{{c.sequences, c.length}})
			k.Near(kept, want, gputest.Eps(attentionUnits(score, c.hd)))
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
