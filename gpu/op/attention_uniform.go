package op

import (
	"math"

	"dino-vk/gpu"
)

// Sequences whose attention is straight code.
const (
	uniformHead  = 2600 // elements of a head's keys in a dispatch at most, such as 81 by 32, 40 by 64: more take seconds to compile
	wideHead     = 13e3 // the same where subgroups are of 16, such as 197 by 64: up to 14 seconds, once
	uniformKeys  = 14   // in a dispatch at least, KEYS of the shader: Mesa 22.3 makes no straight code of fewer
	uniformPart  = 16   // components of a head, PART of the shader
	uniformTotal = 1300 // tokens at most
)

// straight is how sequences are divided for the kernels built on
// shaders/include/attention_uniform.glsl.
type straight struct {
	span, spans    int // keys of a dispatch, and how many cover a sequence
	blocks, groups int // of as many queries as lanes: of a workgroup, and how many workgroups cover a sequence
	queries, keys  int // of the groups and of a span, up to whole blocks
}

// divide divides sequences of a length and head dimension.
func divide(caps gpu.Caps, lanes, length, hd int) straight {
	most := uniformHead
	if lanes == 16 {
		most = wideHead
	}
	var d straight
	d.spans = ceilDiv(length*hd, most)
	d.span = ceilDiv(length, d.spans)
	blocks := ceilDiv(length, lanes)
	d.groups = ceilDiv(blocks, int(caps.MaxInvocations)/lanes)
	d.blocks = ceilDiv(blocks, d.groups)
	d.queries, d.keys = d.groups*d.blocks*lanes, roundUp(d.span, lanes)
	return d
}

// uniformAttention are the variants of an attention kernel for llvmpipe, see
// shaders/include/attention_uniform.glsl.
func uniformAttention(module string, needs gpu.Features) []gpu.Variant {
	return uniformForms(module, needs, func(form gpu.Spec, caps gpu.Caps, problem any) bool {
		p := problem.(attentionProblem)
		heads, sequences := p.width/3/p.hd, p.rows/p.length
		d := divide(caps, int(form["LANES"]), p.length, p.hd)
		return !p.typ.Narrow() && p.hd%uniformPart == 0 && d.span >= uniformKeys && p.length <= uniformTotal &&
			heads < 1<<8 && sequences < 1<<16 && 4*int64(sequences*heads)*int64(d.queries*d.keys) <= caps.MaxBinding
	})
}

// inUniform specializes a shader built on attention_uniform.glsl for divided
// sequences, and gives the grid that covers their queries.
func (s stretch) inUniform(sh gpu.Shader, heads int, d straight) (gpu.Shader, gpu.Groups) {
	return sh.With("LENGTH", uint32(s.Length)).With("HEADS", uint32(heads)).With("BLOCKS", uint32(d.blocks)).
		With("SPAN", uint32(d.span)).With("SPANS", uint32(d.spans)), gpu.Groups{s.Sequences, heads, d.groups}
}

// keysOf says which key of a sequence span i begins with, and how many it skips: the
// last ends with the sequence, and may have some of the one before.
func (d straight) keysOf(length, i int) (key, skip uint32) {
	at := min(i*d.span, length-d.span)
	return uint32(at), uint32(i*d.span - at)
}

// scoreScale is hd^-1/2.
func scoreScale(hd int) float32 { return float32(1 / math.Sqrt(float64(hd))) }

// uniformForward is the forward of some sequences by attention_fwd_uniform.comp.
func (s stretch) uniformForward(g *gpu.Graph, sh gpu.Shader, heads int, qkv, o, lse *gpu.Tensor) {
	type push struct {
		QKV, OAt, LSEAt  gpu.Address
		Start, Key, Skip uint32
		Scale            float32
		Count            [16]uint32
	}
	hd, start := int(sh.Spec["HD"]), uint32(s.start)
	d := divide(g.Caps(), lanesOf(sh), s.Length, hd)
	sh, groups := s.inUniform(sh, heads, d)
	for i := range d.spans {
		key, skip := d.keysOf(s.Length, i)
		g.Dispatch(sh, groups, push{0, 1, 2, start, key, skip, scoreScale(hd), counts()}, s.of(qkv), s.of(o), s.of(lse))
	}
}

// uniformBackward is the backward of some sequences by attention_bwd_q_uniform.comp
// and attention_bwd_kv_uniform.comp.
func (s stretch) uniformBackward(g *gpu.Graph, sh gpu.Shader, heads int, accumulate bool, qkv, o, lse, do, dqkv *gpu.Tensor) {
	hd, start := int(sh.Spec["HD"]), uint32(s.start)
	scale, d := scoreScale(hd), divide(g.Caps(), lanesOf(sh), s.Length, hd)
	probs := g.New("attention.probs", gpu.F32, s.Sequences, heads, d.queries, d.keys)
	dscores := g.New("attention.dscores", gpu.F32, s.Sequences, heads, d.queries, d.keys)
	qkv, o, lse, do, dqkv = s.of(qkv), s.of(o), s.of(lse), s.of(do), s.of(dqkv)
	sh, groups := s.inUniform(sh, heads, d)
	type pushQ struct {
		QKV, O, LSE, DOut, DQKVAt gpu.Address
		Start, Key, Skip, Keep    uint32
		Scale                     float32
		Count                     [16]uint32
	}
	type pushKV struct {
		Y, W, DQKVAt     gpu.Address
		Start, Key, Skip uint32
		Scale            float32
		Count            [16]uint32
	}
	ofQueries := sh.With("ACCUMULATE", bit(accumulate || d.spans > 1))
	ofKeys := sh.With("ACCUMULATE", bit(accumulate)).With("QUERIES", uint32(d.queries)).With("BLOCKS", uint32(d.keys/lanesOf(sh)))
	ofKeys.Module = "attention_bwd_kv_uniform"
	parts := gpu.Groups{s.Sequences, heads, hd / uniformPart}
	for i := range d.spans {
		key, skip := d.keysOf(s.Length, i)
		keep := -bit(accumulate || i > 0)
		g.Dispatch(ofQueries, groups, pushQ{0, 1, 2, 3, 4, start, key, skip, keep, scale, counts()}, qkv, o, lse, do, dqkv, probs, dscores)
		g.Dispatch(ofKeys, parts, pushKV{0, 1, 2, start, key, skip, scale, counts()}, qkv, dscores, dqkv)
		g.Dispatch(ofKeys.With("VALUES", 1), parts, pushKV{0, 1, 2, start, key, skip, 1, counts()}, do, probs, dqkv)
	}
}
