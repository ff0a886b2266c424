package op

import (
	"math"
	"slices"

	"dino-vk/gpu"
)

var (
	attentionFwd = attentionKernel("attention_fwd",
		uniformAttention("attention_fwd_uniform", 0),
		coopAttention("attention_fwd",
			attentionShape{rows: 1, cols: 4, kinds: 1, widest: 128},
			attentionShape{rows: 2, cols: 4, kinds: 1, widest: 64},
			attentionShape{rows: 1, cols: 2, kinds: 1, widest: 128}),
		sharedAttention("attention_fwd_shared", attentionTile.bytesFwd))
	attentionBwdQ = attentionKernel("attention_bwd_q",
		uniformAttention("attention_bwd_q_uniform", gpu.QuickBroadcasts), // not for Mesa 22.3, see bench/REJECTED.md
		coopAttention("attention_bwd_q",
			attentionShape{rows: 1, cols: 4, kinds: 1, widest: 96},
			attentionShape{rows: 1, cols: 2, kinds: 1, widest: 96}),
		onceAttention(attentionOnce),
		sharedAttention("attention_bwd_q_shared", attentionTile.bytesBwdQ))
	attentionBwdKV = attentionKernel("attention_bwd_kv",
		coopAttention("attention_bwd_kv",
			attentionShape{rows: 1, cols: 2, kinds: 2, widest: 96},
			attentionShape{rows: 1, cols: 4, kinds: 2, widest: 96}),
		sharedAttention("attention_bwd_kv_shared", attentionTile.bytesBwdKV))
	attentionProbs = gpu.Plain("attention_probs")
)

// attentionOnce is the variant of attentionBwdQ that leaves nothing to
// attentionBwdKV.
const attentionOnce = "attention_bwd_once_shared"

// attentionProblem is what the choice of a variant depends on.
type attentionProblem struct {
	hd     int      // head dimension
	width  int      // of a row of qkv
	rows   int      // of qkv that a dispatch sees
	length int      // of a sequence
	typ    gpu.Type // of qkv and all like it
}

// attentionKernel takes a head four components at a time where it can, as
// texels on a CPU; variants that do better on some devices go before.
func attentionKernel(name string, better ...[]gpu.Variant) *gpu.Kernel {
	return &gpu.Kernel{Name: name, Variants: append(slices.Concat(better...), []gpu.Variant{
		{Module: name + "_texel", Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(attentionProblem)
			return caps.Kind == gpu.CPU && p.hd%4 == 0 && !p.typ.Narrow() && p.rows*p.width/4 <= int(caps.MaxTexels)
		}},
		{Module: name, Fits: func(_ gpu.Caps, problem any) bool { return problem.(attentionProblem).hd%4 == 0 }},
		{Module: name + "_odd", Fits: func(_ gpu.Caps, problem any) bool { return !problem.(attentionProblem).typ.Narrow() }},
	}...)}
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
// most 128, and on a CPU a sequence at most 65,000 tokens long. Memory grows
// with T, not with its square: the backward computes the probabilities again
// from the log-sum-exp of each row. Only llvmpipe keeps some: twice H floats for each
// token and each of the keys that straight code takes at once.
func Attention(t *Tape, qkv *gpu.Tensor, heads int, runs []Run) *gpu.Tensor {
	g := t.G
	in, tokens, width := matrix(qkv)
	o := t.activation("attention", tokens, max(width/3, 1))
	hd := width / 3 / heads
	if width != 3*heads*hd || hd < 1 || hd > maxHeadDim {
		g.Errorf("attention: %v for %d heads of at most %d", qkv, heads, maxHeadDim)
		return o
	}
	if !checkRuns(g, qkv, tokens, runs) {
		return o
	}
	for _, r := range runs {
		if g.Caps().Kind == gpu.CPU && r.Length > mostIterations {
			g.Errorf("attention over %d tokens: this device allows %d", r.Length, mostIterations)
			return o
		}
	}
	lse := g.New("lse", gpu.F32, tokens, heads)
	for _, s := range stretches(g, runs, width) {
		if sh := s.attentionShader(g, attentionFwd, in, heads); isUniform(sh) {
			s.uniformForward(g, sh, heads, in, o, lse)
		} else {
			s.attention(g, sh, heads, false, in, o, lse)
		}
	}
	t.Push(o, func(do *gpu.Tensor) { attentionBackward(t, qkv, o, lse, do, heads, runs) }, qkv)
	return o
}

func attentionBackward(t *Tape, qkv, o, lse, do *gpu.Tensor, heads int, runs []Run) {
	g := t.G
	dqkv, accumulate := t.Grad(qkv)
	in, tokens, width := matrix(qkv)
	din, up := dqkv.Reshape(tokens, width), do.Reshape(tokens, width/3)
	delta := g.New("delta", gpu.F32, tokens, heads)
	for _, s := range stretches(g, runs, width) {
		s.attentionBackward(g, heads, accumulate, in, o, lse, up, din, delta)
	}
}

// attentionBackward is the backward of some sequences, of which delta (T, H)
// holds what one kernel leaves to the next.
func (s stretch) attentionBackward(g *gpu.Graph, heads int, accumulate bool, qkv, o, lse, do, dqkv, delta *gpu.Tensor) {
	defer g.Whole()()
	sh := s.attentionShader(g, attentionBwdQ, qkv, heads)
	if isUniform(sh) {
		s.uniformBackward(g, sh, heads, accumulate, qkv, o, lse, do, dqkv)
		return
	}
	if sh.Module == attentionOnce {
		s.attention(g, sh, heads, accumulate, qkv, o, lse, do, dqkv)
		return
	}
	s.attention(g, sh, heads, accumulate, qkv, o, lse, do, dqkv, delta)
	s.attention(g, s.attentionShader(g, attentionBwdKV, qkv, heads), heads, accumulate, qkv, lse, do, delta, dqkv)
}

// attentionShader picks and specializes a kernel for some sequences of qkv.
func (s stretch) attentionShader(g *gpu.Graph, k *gpu.Kernel, qkv *gpu.Tensor, heads int) gpu.Shader {
	width := qkv.Dim(-1)
	hd := width / 3 / heads
	p := attentionProblem{hd, width, s.rows, s.Length, qkv.Type}
	sh := onAttentionUnits(g.Caps(), p, g.Pick(k, p).With("HD", uint32(hd)))
	if _, ok := sh.Spec["ROWS"]; ok || isUniform(sh) {
		return sh
	}
	return sh.With("ROWS", uint32(attentionRows(g.Caps(), k, s.Length, hd)))
}

// ownedRows is how many rows an invocation, or where others are shared a
// workgroup, has of a sequence, and how many of either are a workgroup.
func ownedRows(spec gpu.Spec) (rows, size int) {
	rows = int(spec["ROWS"])
	if subgroup, ok := spec["SUBGROUP"]; ok {
		return int(spec["INVOCATIONS"]/subgroup*spec["MATRIX_M"]) * rows, 1
	}
	if _, ok := spec["COLS"]; ok {
		return 8 * rows, 1
	}
	return rows, 64
}

// attention runs a shader over some sequences of packed tensors.
func (s stretch) attention(g *gpu.Graph, sh gpu.Shader, heads int, accumulate bool, packed ...*gpu.Tensor) {
	rows, size := ownedRows(sh.Spec)
	blocks := ceilDiv(s.Length, rows)
	push := attentionPush{
		Start: uint32(s.start), Sequences: uint32(s.Sequences), Length: uint32(s.Length), Heads: uint32(heads),
		Scale: scoreScale(int(sh.Spec["HD"])), Accumulate: bit(accumulate),
	}
	views := make([]*gpu.Tensor, len(packed))
	for i, t := range packed {
		views[i] = s.of(t)
	}
	g.Dispatch(sh, grid(g, s.Sequences*heads*blocks, size), push, views...)
}

// attentionRows is how many rows an invocation holds. On a CPU a load costs as
// much as several multiplications, so it serves as many rows as the driver
// compiles in about a second; on a GPU one row fills the registers.
func attentionRows(caps gpu.Caps, k *gpu.Kernel, length, hd int) int {
	if caps.Kind != gpu.CPU {
		return 1
	}
	elements := 192 // of the queries, or of the keys, that an invocation holds
	if k == attentionBwdKV {
		elements = 128
	}
	return min(max(elements/hd, 1), 8, length)
}

// AttentionProbs gives the rows of the attention matrix that belong to the
// first `queries` tokens of each sequence of qkv (B length, 3 H hd): probs (B,
// H, queries, length). One query gives the attention of CLS, length queries
// the whole matrix. No gradient flows through it. On a CPU a sequence may be
// 32,500 tokens long.
func AttentionProbs(t *Tape, qkv *gpu.Tensor, heads, length, queries int) *gpu.Tensor {
	g := t.G
	in, tokens, width := matrix(qkv)
	sequences := tokens / max(length, 1)
	probs := g.New("probs", gpu.F32, sequences, heads, queries, length)
	hd := width / 3 / heads
	if width != 3*heads*hd || hd < 1 || hd > maxHeadDim || tokens != sequences*length || queries < 1 || queries > length {
		g.Errorf("attention of %d queries among %d: %v for %d heads", queries, length, qkv, heads)
		return probs
	}
	if g.Caps().Kind == gpu.CPU && 2*length > mostIterations {
		g.Errorf("attention over %d tokens: this device allows %d", length, mostIterations/2)
		return probs
	}
	type push struct {
		Sequences, Length, Heads, Queries uint32
		Scale                             float32
	}
	g.Dispatch(g.Pick(attentionProbs, hd).With("HD", uint32(hd)), grid(g, sequences*heads*queries, 64), push{
		uint32(sequences), uint32(length), uint32(heads), uint32(queries),
		float32(1 / math.Sqrt(float64(hd))),
	}, in, probs)
	return probs
}
