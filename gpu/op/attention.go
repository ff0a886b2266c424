package op

import (
	"math"

	"dino-vk/gpu"
)

var (
	attentionFwd   = attentionKernel("attention_fwd")
	attentionBwdQ  = attentionKernel("attention_bwd_q")
	attentionBwdKV = attentionKernel("attention_bwd_kv")
	attentionProbs = gpu.Plain("attention_probs")
)

// attentionKernel takes a head four components at a time where it can; the
// problem is the head dimension.
func attentionKernel(name string) *gpu.Kernel {
	return &gpu.Kernel{Name: name, Variants: []gpu.Variant{
		{Module: name, Fits: func(_ gpu.Caps, hd any) bool { return hd.(int)%4 == 0 }},
		{Module: name + "_odd"},
	}}
}

// attentionPush are the push constants of shaders/include/attention.glsl.
type attentionPush struct {
	Start, Sequences, Length, Heads uint32
	Scale                           float32
	Accumulate                      uint32
}

const maxHeadDim = 128

// Attention is o = softmax(hd^-1/2 q kᵀ) v within each sequence of the runs, for
// qkv (T, 3 H hd) that holds q, k and v of every head as the qkv layer of a ViT
// yields them; o is (T, H hd) (Vaswani et al., arXiv 1706.03762). hd may be at
// most 128. Memory grows with T, not with its square: the backward computes the
// probabilities again from the log-sum-exp of each row.
func Attention(t *Tape, qkv *gpu.Tensor, heads int, runs []Run) *gpu.Tensor {
	g := t.G
	in, tokens, width := matrix(qkv)
	o := g.New("attention", gpu.F32, tokens, max(width/3, 1))
	hd := width / 3 / heads
	if width != 3*heads*hd || hd < 1 || hd > maxHeadDim {
		g.Errorf("attention: %v for %d heads of at most %d", qkv, heads, maxHeadDim)
		return o
	}
	if !checkRuns(g, qkv, tokens, runs) {
		return o
	}
	lse := g.New("lse", gpu.F32, tokens, heads)
	for _, w := range windows(g, runs, width) {
		s, groups, push := attentionShader(g, attentionFwd, w, heads, hd, false)
		g.Dispatch(s, groups, push, w.of(in), w.of(o), w.of(lse))
	}
	t.Push(o, func(do *gpu.Tensor) { attentionBackward(t, qkv, o, lse, do, heads, runs) }, qkv)
	return o
}

func attentionBackward(t *Tape, qkv, o, lse, do *gpu.Tensor, heads int, runs []Run) {
	g := t.G
	dqkv, accumulate := t.Grad(qkv)
	in, tokens, width := matrix(qkv)
	din := dqkv.Reshape(tokens, width)
	delta := g.New("delta", gpu.F32, tokens, heads)
	for _, w := range windows(g, runs, width) {
		hd := width / 3 / heads
		s, groups, push := attentionShader(g, attentionBwdQ, w, heads, hd, accumulate)
		g.Dispatch(s, groups, push, w.of(in), w.of(o), w.of(lse), w.of(do), w.of(din), w.of(delta))
		s, groups, push = attentionShader(g, attentionBwdKV, w, heads, hd, accumulate)
		g.Dispatch(s, groups, push, w.of(in), w.of(lse), w.of(do), w.of(delta), w.of(din))
	}
}

// attentionShader chooses how many rows an invocation holds and the grid for it.
func attentionShader(g *gpu.Graph, k *gpu.Kernel, w window, heads, hd int, accumulate bool) (gpu.Shader, gpu.Groups, attentionPush) {
	rows := attentionRows(g.Caps(), k, w.Length, hd)
	s := g.Pick(k, hd).With("HD", uint32(hd)).With("ROWS", uint32(rows))
	blocks := (w.Length + rows - 1) / rows
	push := attentionPush{
		Start: uint32(w.start), Sequences: uint32(w.Sequences), Length: uint32(w.Length), Heads: uint32(heads),
		Scale: float32(1 / math.Sqrt(float64(hd))), Accumulate: bit(accumulate),
	}
	return s, grid(g, w.Sequences*heads*blocks, 64), push
}

// attentionRows is how many rows an invocation holds: as many as make a loaded
// row worth its load without leaving the registers of a GPU or, on a CPU, told
// by its narrow subgroups, the first cache.
func attentionRows(caps gpu.Caps, k *gpu.Kernel, length, hd int) int {
	if caps.SubgroupSize > 8 {
		return 1
	}
	rows := 4
	if k == attentionBwdKV && hd > 32 {
		rows = 2
	}
	return min(rows, length)
}

// AttentionProbs gives the rows of the attention matrix that belong to the
// first `queries` tokens of each sequence of qkv (B length, 3 H hd): probs (B,
// H, queries, length). One query gives the attention of CLS, length queries
// the whole matrix. No gradient flows through it.
func AttentionProbs(t *Tape, qkv *gpu.Tensor, heads, length, queries int) *gpu.Tensor {
	g := t.G
	in, tokens, width := matrix(qkv)
	sequences := tokens / max(length, 1)
	probs := g.New("probs", gpu.F32, sequences, heads, queries, length)
	hd := width / 3 / heads
	if width != 3*heads*hd || tokens != sequences*length || queries < 1 || queries > length {
		g.Errorf("attention of %d queries among %d: %v for %d heads", queries, length, qkv, heads)
		return probs
	}
	type push struct {
		Sequences, Length, Heads, Dim, Queries uint32
		Scale                                  float32
	}
	g.Dispatch(g.Pick(attentionProbs, hd), grid(g, sequences*heads*queries, 64), push{
		uint32(sequences), uint32(length), uint32(heads), uint32(hd), uint32(queries),
		float32(1 / math.Sqrt(float64(hd))),
	}, in, probs)
	return probs
}
