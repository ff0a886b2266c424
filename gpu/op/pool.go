package op

import (
	"fmt"

	"dino-vk/gpu"
)

var (
	maxPoolFwd = imageKernel("maxpool_fwd")
	maxPoolBwd = imageKernel("maxpool_bwd")
	avgPoolFwd = gpu.Plain("avgpool_fwd")
	avgPoolBwd = gpu.Plain("avgpool_bwd")
)

// MaxPool is the maximum over windows of size x size pixels of images
// x (N, H, W, C), padded with -Inf:
//
//	y[n, i, j, c] = max_{v, u < size} x[n, i stride - pad + v, j stride - pad + u, c]
//
// y (N, (H + 2 pad - size) / stride + 1, (W + 2 pad - size) / stride + 1, C),
// as torch.nn.MaxPool2d. A NaN is the largest; of equal values the first in the
// order of the window's rows takes the gradient.
func MaxPool(t *Tape, x *gpu.Tensor, size, stride, pad int) *gpu.Tensor {
	g := t.G
	const longest = 15 // for the number of a pixel of a window to fit a byte
	if len(x.Shape) != 4 || size < 1 || size > longest || stride < 1 || pad < 0 || 2*pad > size ||
		x.Dim(1)+2*pad < size || x.Dim(2)+2*pad < size {
		g.Errorf("max pooling of %v: windows of %d, stride %d, padding %d", x, size, stride, pad)
		return x
	}
	n, h, w, c := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	outH, outW := (h+2*pad-size)/stride+1, (w+2*pad-size)/stride+1
	y := g.New("maxpool", gpu.F32, n, outH, outW, c)
	words := ceilDiv(outH*outW*c, 4) // of an image: of four elements each
	var taken *gpu.Tensor
	if t.Needs(x) {
		taken = g.New("taken", gpu.U32, n, words)
	}
	runs := cuts(g, n, h*w*c, outH*outW*c, words)
	window := fmt.Sprintf(" windows of %d, stride %d, padding %d", size, stride, pad)
	shader := func(k *gpu.Kernel, read *gpu.Tensor) gpu.Shader {
		return g.Pick(k, imageProblem{c%4 == 0, []*gpu.Tensor{read}, window}).With("SIZE", uint32(size)).With("STRIDE", uint32(stride))
	}
	type push struct{ Count, H, W, Channels, OutH, OutW, Pad uint32 }
	pushOf := func(s span) push {
		return push{uint32(s.n), uint32(h), uint32(w), uint32(c), uint32(outH), uint32(outW), uint32(pad)}
	}
	for _, s := range runs {
		sh := shader(maxPoolFwd, s.of(x)).With("KEEP", bit(taken != nil))
		g.Dispatch(sh, grid(g, s.n*words, 64), pushOf(s), s.of(x), s.of(y), s.of(taken))
	}
	t.Push(y, func(dy *gpu.Tensor) {
		dx, accumulate := t.Grad(x)
		dy = dy.Reshape(y.Shape...)
		for _, s := range runs {
			sh := shader(maxPoolBwd, s.of(dy)).With("ACCUMULATE", bit(accumulate))
			g.Dispatch(sh, grid(g, s.n*ceilDiv(h*w*c, 4), 64), pushOf(s), s.of(dy), s.of(taken), s.of(dx))
		}
	}, x)
	return y
}

// AvgPool is the mean over the pixels of images x (N, H, W, C): (N, C).
func AvgPool(t *Tape, x *gpu.Tensor) *gpu.Tensor {
	g := t.G
	if len(x.Shape) != 4 || x.Dim(1)*x.Dim(2) > mostIterations {
		g.Errorf("average pooling of %v", x)
		return x
	}
	n, pixels, c := x.Dim(0), x.Dim(1)*x.Dim(2), x.Dim(3)
	y := g.New("avgpool", gpu.F32, n, c)
	runs := cuts(g, n, pixels*c, c)
	type push struct{ Count, Pixels, Channels uint32 }
	for _, s := range runs {
		g.Dispatch(g.Pick(avgPoolFwd, x), grid(g, s.n*c, 64), push{uint32(s.n), uint32(pixels), uint32(c)}, s.of(x), s.of(y))
	}
	t.Push(y, func(dy *gpu.Tensor) {
		type push struct{ Count, Pixels, Channels, Accumulate uint32 }
		dx, accumulate := t.Grad(x)
		dy = dy.Reshape(n, c)
		for _, s := range runs {
			g.Dispatch(g.Pick(avgPoolBwd, x), grid(g, s.n*pixels*c, 64),
				push{uint32(s.n), uint32(pixels), uint32(c), bit(accumulate)}, s.of(dy), s.of(dx))
		}
	}, x)
	return y
}
