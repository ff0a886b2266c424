package op

import "dino-vk/gpu"

var (
	patchifyFwd = gpu.Plain("patchify_fwd")
	patchifyBwd = gpu.Plain("patchify_bwd")
)

type patchifyPush struct{ Start, Count, Channels, Height, Width uint32 }

// Patchify cuts images, each tensor (n, C, H, W) with its own n, H and W, into
// patches of p x p pixels: (rows, C p p), the elements of a row in the order of
// a convolution's weight (C, p, p), the rows image by image and line by line.
// Pixels that remain at the right and at the bottom are dropped. With a linear
// layer behind it this is the patch embedding of ViT (arXiv 2010.11929).
func Patchify(t *Tape, p int, images ...*gpu.Tensor) *gpu.Tensor {
	g := t.G
	rows := 0
	for _, x := range images {
		if len(x.Shape) != 4 || p < 1 || x.Dim(2) < p || x.Dim(3) < p || x.Dim(1) != images[0].Dim(1) {
			g.Errorf("patches of %d pixels of %v", p, images)
			return g.New("patches", gpu.F32, 1)
		}
		rows += patchesOf(x, p)
	}
	channels := images[0].Dim(1)
	patches := g.New("patches", gpu.F32, rows, channels*p*p)
	row := 0
	for _, x := range images {
		h, w := x.Dim(2), x.Dim(3)
		each := (h / p) * (w / p) // patches of an image
		shader := g.Pick(patchifyFwd, p).With("P", uint32(p))
		for _, s := range patchifyParts(g, x, p) {
			to, start := alignedRows(patches, row+s.first*each, s.n*each)
			g.Dispatch(shader, grid(g, s.n*each*channels*p, 64), patchifyPush{
				uint32(start), uint32(s.n), uint32(channels), uint32(h), uint32(w),
			}, s.of(x), to)
		}
		row += patchesOf(x, p)
	}
	t.Push(patches, func(dy *gpu.Tensor) { patchifyBackward(t, p, images, dy) }, images...)
	return patches
}

func patchifyBackward(t *Tape, p int, images []*gpu.Tensor, dpatches *gpu.Tensor) {
	g := t.G
	type push struct{ Start, Count, Channels, Height, Width, Accumulate uint32 }
	row := 0
	for _, x := range images {
		c, h, w := x.Dim(1), x.Dim(2), x.Dim(3)
		if dx, accumulate := t.Grad(x); dx != nil {
			shader := g.Pick(patchifyBwd, p).With("P", uint32(p))
			each := (h / p) * (w / p)
			for _, s := range patchifyParts(g, x, p) {
				from, start := alignedRows(dpatches, row+s.first*each, s.n*each)
				g.Dispatch(shader, grid(g, s.n*c*h*((w+p-1)/p), 64), push{
					uint32(start), uint32(s.n), uint32(c), uint32(h), uint32(w), bit(accumulate),
				}, from, s.of(dx))
			}
		}
		row += patchesOf(x, p)
	}
}

// patchifyParts divides images so that a binding can span each part, and the
// alignedRows of its patches.
func patchifyParts(g *gpu.Graph, x *gpu.Tensor, p int) []span {
	c, h, w := x.Dim(1), x.Dim(2), x.Dim(3)
	return cuts(g, x.Dim(0), c*h*w, ((h/p)*(w/p)+rowAlign)*c*p*p)
}

// patchesOf is the number of whole patches in images x (n, C, H, W).
func patchesOf(x *gpu.Tensor, p int) int { return x.Dim(0) * (x.Dim(2) / p) * (x.Dim(3) / p) }
