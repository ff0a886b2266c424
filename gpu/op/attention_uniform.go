package op

import (
	"math"

	"dino-vk/gpu"
)

// Sequences whose attention is straight code.
const (
	uniformHead = 2600 // elements of a head at most, such as 81 tokens by 32, 40 by 64: more take seconds to compile
	wideHead    = 20e3 // the same where subgroups are of 16, such as 197 tokens by 64: up to 14 seconds, once
	uniformKeys = 14   // tokens at least, KEYS of the shader: Mesa 22.3 makes no straight code of fewer
	uniformPart = 16   // components of a head, PART of the shader
)

// uniformAttention are the variants of an attention kernel for llvmpipe, see
// shaders/include/attention_uniform.glsl.
func uniformAttention(module string, needs gpu.Features) []gpu.Variant {
	return uniformForms(module, needs, func(form gpu.Spec, caps gpu.Caps, problem any) bool {
		p := problem.(attentionProblem)
		padded, heads, most := roundUp(p.length, int(form["LANES"])), p.width/3/p.hd, uniformHead
		if form["LANES"] == 16 {
			most = wideHead
		}
		return !p.typ.Narrow() && p.hd%uniformPart == 0 && p.length >= uniformKeys && p.length*p.hd <= most && heads < 1<<8 &&
			p.rows/p.length < 1<<16 && padded <= int(caps.MaxInvocations) &&
			4*int64(p.rows/p.length*heads)*int64(padded*padded) <= caps.MaxBinding
	})
}

// inUniform specializes a shader built on attention_uniform.glsl, and gives the
// grid that covers the sequences.
func (s stretch) inUniform(sh gpu.Shader, heads int) (gpu.Shader, gpu.Groups) {
	return sh.With("LENGTH", uint32(s.Length)).With("HEADS", uint32(heads)).With("BLOCKS", uint32(ceilDiv(s.Length, lanesOf(sh)))),
		gpu.Groups{s.Sequences, heads, 1}
}

// scoreScale is hd^-1/2.
func scoreScale(hd int) float32 { return float32(1 / math.Sqrt(float64(hd))) }

// uniformForward is the forward of some sequences by attention_fwd_uniform.comp.
func (s stretch) uniformForward(g *gpu.Graph, sh gpu.Shader, heads int, qkv, o, lse *gpu.Tensor) {
	type push struct {
		QKV   gpu.Address
		Start uint32
		Scale float32
		Count [16]uint32
	}
	scale := scoreScale(int(sh.Spec["HD"]))
	sh, groups := s.inUniform(sh, heads)
	g.Dispatch(sh, groups, push{0, uint32(s.start), scale, counts()}, s.of(qkv), s.of(o), s.of(lse))
}

// uniformBackward is the backward of some sequences by attention_bwd_q_uniform.comp
// and attention_bwd_kv_uniform.comp.
func (s stretch) uniformBackward(g *gpu.Graph, sh gpu.Shader, heads int, accumulate bool, qkv, o, lse, do, dqkv *gpu.Tensor) {
	hd := int(sh.Spec["HD"])
	scale, padded := scoreScale(hd), roundUp(s.Length, lanesOf(sh))
	probs := g.New("attention.probs", gpu.F32, s.Sequences, heads, padded, padded)
	dscores := g.New("attention.dscores", gpu.F32, s.Sequences, heads, padded, padded)
	qkv, do, dqkv = s.of(qkv), s.of(do), s.of(dqkv)
	sh, groups := s.inUniform(sh.With("ACCUMULATE", bit(accumulate)), heads)
	type pushQ struct {
		QKV, O, LSE, DOut, DQKVAt gpu.Address
		Start                     uint32
		Scale                     float32
		Count                     [16]uint32
	}
	g.Dispatch(sh, groups, pushQ{0, 1, 2, 3, 4, uint32(s.start), scale, counts()}, qkv, s.of(o), s.of(lse), do, dqkv, probs, dscores)

	type pushKV struct {
		Y, W, DQKVAt gpu.Address
		Start        uint32
		Scale        float32
		Count        [16]uint32
	}
	sh.Module, groups[2] = "attention_bwd_kv_uniform", hd/uniformPart
	g.Dispatch(sh, groups, pushKV{0, 1, 2, uint32(s.start), scale, counts()}, qkv, dscores, dqkv)
	g.Dispatch(sh.With("VALUES", 1), groups, pushKV{0, 1, 2, uint32(s.start), 1, counts()}, do, probs, dqkv)
}
