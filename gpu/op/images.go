package op

import "dino-vk/gpu"

// Kernels that work on images (N, H, W, C).

// imageProblem is what the variants of a kernel on images are chosen by:
// whether all channels are multiples of four, and what would be read as texels.
type imageProblem struct {
	quads bool
	read  []*gpu.Tensor
	more  string // of their shape
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
