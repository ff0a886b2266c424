package op

import "dino-vk/gpu"

// Kernels that work on images (N, H, W, C).

// imageProblem is what the variants of a kernel on images are chosen by:
// whether all channels are multiples of four, and what would be read as texels.
type imageProblem struct {
	quads bool
	read  []*gpu.Tensor
}

// imageKernel has a variant for texels, one for four channels at once, and one
// for any number of channels.
func imageKernel(name string) *gpu.Kernel {
	return &gpu.Kernel{Name: name, Variants: []gpu.Variant{
		{Module: name + "_texel", Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(imageProblem)
			return p.quads && fitsTexels(caps, p.read...)
		}},
		{Module: name + "_vec4", Fits: func(_ gpu.Caps, problem any) bool { return problem.(imageProblem).quads }},
		{Module: name},
	}}
}

// cuts divides n images (or other blocks) into runs whose part of every
// tensor, of so many elements an image, fits a binding and begins where a view
// may.
func cuts(g *gpu.Graph, n int, elements ...int) []span {
	limit, align := n, 1
	for _, e := range elements {
		limit = min(limit, int(g.Caps().MaxBinding/(4*int64(e))))
		align = max(align, rowAlign/gcd(rowAlign, e)) // powers of two, so the largest serves all
	}
	if limit < n {
		limit -= limit % align
	}
	if limit == 0 {
		g.Errorf("%w: a binding of %d bytes is too small for %d images of %v elements",
			gpu.ErrOutOfMemory, g.Caps().MaxBinding, align, elements)
		return nil
	}
	var list []span
	for first := 0; first < n; first += limit {
		list = append(list, span{first, min(limit, n-first)})
	}
	return list
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
