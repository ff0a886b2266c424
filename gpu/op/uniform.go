package op

import "dino-vk/gpu"

// Kernels built on shaders/include/uniform.glsl, which move memory at its speed on
// llvmpipe.
const (
	uniformBlock = 32   // elements that a subgroup works on at once
	uniformWidth = 1024 // elements of a row at most: its whole code is straight
	uniformRows  = 16   // of a workgroup at most
	uniformLeast = 4    // rows of a workgroup at least
	uniformSlots = 64   // parts of a sum at most
)

// uniformForms are the variants built on uniform.glsl, by their specialization: for
// subgroups of 16 with quick broadcasts, of 8 with them, and of 8 without.
func uniformForms(module string, needs gpu.Features, fits func(form gpu.Spec, caps gpu.Caps, problem any) bool) []gpu.Variant {
	form := func(needs gpu.Features, form gpu.Spec) gpu.Variant {
		return gpu.Variant{Module: module, Needs: gpu.UniformLoads | needs, Spec: form, Fits: func(caps gpu.Caps, problem any) bool {
			return caps.SubgroupSize == form["LANES"] && fits(form, caps, problem)
		}}
	}
	return []gpu.Variant{
		form(needs|gpu.QuickBroadcasts, gpu.Spec{"BROADCASTS": 1, "LANES": 16}),
		form(needs|gpu.QuickBroadcasts, gpu.Spec{"BROADCASTS": 1, "LANES": 8}),
		form(needs, gpu.Spec{"LANES": 8}),
	}
}

// withUniform puts in front of a kernel variants of the same name with _uniform.
func withUniform(k *gpu.Kernel, fits func(caps gpu.Caps, problem any) bool) *gpu.Kernel {
	forms := uniformForms(k.Name+"_uniform", 0, func(_ gpu.Spec, caps gpu.Caps, problem any) bool { return fits(caps, problem) })
	k.Variants = append(forms, k.Variants...)
	return k
}

// lanesOf are the invocations of a subgroup of a shader built on uniform.glsl.
func lanesOf(sh gpu.Shader) int { return int(sh.Spec["LANES"]) }

// isUniform reports whether a shader is built on uniform.glsl.
func isUniform(sh gpu.Shader) bool { return sh.Has("BROADCASTS") }

// uniformSpans are spans, but where a kernel may have a variant built on uniform.glsl
// rows that would not fill its workgroups are apart.
func uniformSpans(g *gpu.Graph, rows, width int) []span {
	list := spans(g, rows, width)
	if g.Caps().Features&gpu.UniformLoads == 0 || len(list) == 0 {
		return list
	}
	last := &list[len(list)-1]
	if rest := last.n % rowAlign; rest > 0 && rest < last.n {
		last.n -= rest
		list = append(list, span{last.first + last.n, rest})
	}
	return list
}

// fitsUniform reports whether the rows of a problem are whole blocks of float32, and
// can be dealt out to full workgroups.
func fitsUniform(_ gpu.Caps, problem any) bool {
	p := problem.(rowsProblem)
	rows := p.read[0].Len() / p.width
	return p.width%uniformBlock == 0 && p.width <= uniformWidth && wide(p.read...) && wide(p.written) &&
		rows%uniformLeast == 0 && rows/largestDivisor(rows, uniformRows) < 1<<16
}

// largestDivisor is the largest divisor of n, up to most, or 1.
func largestDivisor(n, most int) int {
	for most > 1 && n%most != 0 {
		most--
	}
	return max(1, most)
}

// inUniform is a shader built on uniform.glsl whose subgroups are rows, and the grid
// that covers them.
func inUniform(sh gpu.Shader, rows, width int) (gpu.Shader, gpu.Groups) {
	n := largestDivisor(rows, uniformRows)
	return sh.With("WIDTH", uint32(width)).With("ROWS", uint32(n)), gpu.Groups{rows / n, 1, 1}
}

// counts is the table of push constants that uniform.glsl asks for.
func counts() (table [16]uint32) {
	for i := range table {
		table[i] = uint32(i)
	}
	return table
}
