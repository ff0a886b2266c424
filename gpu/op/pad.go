package op

import "dino-vk/gpu"

var (
	padFwd = gpu.Plain("pad_fwd")
	padBwd = gpu.Plain("pad_bwd")
)

// padImages puts zeros around images x (N, H, W, C) and behind their channels:
// (N, H + 2 pad, W + 2 pad, channels).
func padImages(t *Tape, x *gpu.Tensor, pad, channels int) *gpu.Tensor {
	g := t.G
	n, h, w, c := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	y := g.New("padded", gpu.F32, n, h+2*pad, w+2*pad, channels)
	runs := cuts(g, n, h*w*c, y.Len()/n)
	type push struct{ Count, H, W, Channels, Pad uint32 }
	sh := g.Pick(padFwd, x).With("CHANNELS", uint32(channels))
	for _, s := range runs {
		g.Dispatch(sh, grid(g, s.of(y).Len()/channels, 64),
			push{uint32(s.n), uint32(h), uint32(w), uint32(c), uint32(pad)}, s.of(x), s.of(y))
	}
	t.Push(y, func(dy *gpu.Tensor) {
		type push struct{ Count, H, W, Channels, Pad, Accumulate uint32 }
		dx, accumulate := t.Grad(x)
		sh := g.Pick(padBwd, x).With("CHANNELS", uint32(channels))
		for _, s := range runs {
			g.Dispatch(sh, grid(g, s.n*h*w, 64),
				push{uint32(s.n), uint32(h), uint32(w), uint32(c), uint32(pad), bit(accumulate)}, s.of(dy), s.of(dx))
		}
	}, x)
	return y
}
