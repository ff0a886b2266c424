package op

import "dino-vk/gpu"

var (
	addKernel      = elementwise("add")
	multiplyKernel = elementwise("multiply")
	castKernel     = &gpu.Kernel{Name: "cast", Variants: []gpu.Variant{{Module: "cast_vec4"}}}
)

// elementwise is a kernel that does four elements at once where their number
// allows it.
func elementwise(name string) *gpu.Kernel {
	return &gpu.Kernel{Name: name, Variants: []gpu.Variant{
		{Module: name + "_vec4", Fits: func(_ gpu.Caps, problem any) bool { return problem.(elements)[0].Len()%4 == 0 }},
		{Module: name, Fits: func(_ gpu.Caps, problem any) bool { return wide(problem.(elements)...) }},
	}}
}

// elements are tensors that a kernel goes through together.
type elements []*gpu.Tensor

// add records y += x.
func add(g *gpu.Graph, y, x *gpu.Tensor) { eachElement(g, addKernel, y, x) }

// multiply records z = x y, element by element.
func multiply(g *gpu.Graph, z, x, y *gpu.Tensor) { eachElement(g, multiplyKernel, z, x, y) }

// cast records y = x, which is of another type.
func cast(g *gpu.Graph, y, x *gpu.Tensor) { eachElement(g, castKernel, y, x) }

// eachElement records a kernel over tensors of equally many elements, in parts
// that fit their bindings.
func eachElement(g *gpu.Graph, k *gpu.Kernel, list ...*gpu.Tensor) {
	n := list[0].Len()
	most := int(g.Caps().MaxBinding / 4)
	for at := 0; at < n; at += most {
		m := min(most, n-at)
		args := make(elements, len(list))
		for i, t := range list {
			args[i] = t.Slice(at, m)
		}
		sh := g.Pick(k, args)
		threads := m
		if sh.Module != k.Name {
			threads /= 4
		}
		g.Dispatch(sh, grid(g, threads, 256), struct{ N uint32 }{uint32(m)}, args...)
	}
}
