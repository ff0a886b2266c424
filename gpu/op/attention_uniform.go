package op

import (
	"math"

	"dino-vk/gpu"
)

// Sequences whose attention is straight code.
const (
	uniformHead = 2600 // elements of a head at most, such as 81 tokens by 32, 40 by 64: more take seconds to compile
	uniformKeys = 14   // tokens at least, KEYS of the shader: Mesa 22.3 makes no straight code of fewer
)

// uniformAttention is the variant of an attention kernel for llvmpipe, see
// shaders/include/attention_uniform.glsl.
func uniformAttention(module string) []gpu.Variant {
	return []gpu.Variant{{Module: module, Needs: gpu.UniformLoads, Fits: func(caps gpu.Caps, problem any) bool {
		p := problem.(attentionProblem)
		return !p.typ.Narrow() && p.hd%8 == 0 && p.length >= uniformKeys && p.length*p.hd <= uniformHead && p.width/3/p.hd < 1<<8 &&
			p.rows/p.length < 1<<16 && 8*ceilDiv(p.length, 8) <= int(caps.MaxInvocations)
	}}}
}

// inUniform specializes a shader built on attention_uniform.glsl, and gives the
// grid that covers the sequences.
func (s stretch) inUniform(sh gpu.Shader, heads int) (gpu.Shader, gpu.Groups) {
	return sh.With("LENGTH", uint32(s.Length)).With("HEADS", uint32(heads)).With("BLOCKS", uint32(ceilDiv(s.Length, 8))),
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
