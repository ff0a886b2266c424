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
		push := patchifyPush{uint32(row), uint32(x.Dim(0)), uint32(channels), uint32(x.Dim(2)), uint32(x.Dim(3))}
		shader := g.Pick(patchifyFwd, p).With("P", uint32(p))
		g.Dispatch(shader, grid(g, patchesOf(x, p)*channels*p, 64), push, x, patches)
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
		n, c, h, w := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
		if dx, accumulate := t.Grad(x); dx != nil {
			shader := g.Pick(patchifyBwd, p).With("P", uint32(p))
			g.Dispatch(shader, grid(g, n*c*h*((w+p-1)/p), 64), push{
				uint32(row), uint32(n), uint32(c), uint32(h), uint32(w), bit(accumulate),
			}, dpatches, dx)
		}
		row += patchesOf(x, p)
	}
}

// patchesOf is the number of whole patches in images x (n, C, H, W).
func patchesOf(x *gpu.Tensor, p int) int { return x.Dim(0) * (x.Dim(2) / p) * (x.Dim(3) / p) }
