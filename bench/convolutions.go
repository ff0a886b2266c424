package bench

import (
	"fmt"

	"dino-vk/gpu/op"
)

// layer is a convolution of ResNet (arXiv 1512.03385, table 1) on maps of
// 1/scale of the image's side.
type layer struct {
	scale, in, out, kernel, stride int
}

// convolutions are the kinds of convolution that a ResNet-50 has, and what
// else it does to images, on the global crops: for comparison with the layers
// of a ViT, of whose step they are no part.
func (s sizes) convolutions() []operation {
	list := []operation{s.nhwc()}
	for _, l := range []layer{
		{1, 3, 64, 7, 2}, {4, 64, 64, 3, 1}, {4, 128, 128, 3, 2}, {16, 256, 256, 3, 1}, {32, 512, 512, 3, 1},
		{4, 256, 512, 1, 2}, {4, 64, 256, 1, 1},
	} {
		list = append(list, s.convolution(l))
	}
	return append(list, s.batchNorm(4, 64, false), s.batchNorm(4, 256, true), s.maxPool(), s.avgPool())
}

// side is that of a map of 1/scale of the global crops' side.
func (s sizes) side(scale int) int { return (s.ImageSize + scale - 1) / scale }

func (s sizes) convolution(l layer) operation {
	n, side, pad := 2*s.BatchSize, s.side(l.scale), l.kernel/2
	out := (side+2*pad-l.kernel)/l.stride + 1
	forward, backward := convolutionWork(n, side, out, l.in, l.out, l.kernel, l.scale > 1)
	name := fmt.Sprintf("convolution %dx%d", l.kernel, l.kernel)
	if l.stride > 1 {
		name += fmt.Sprintf(", stride %d", l.stride)
	}
	return operation{name, fmt.Sprintf("(%d, %d, %d, %d) → %d", n, side, side, l.in, l.out), 0, forward, backward, func(r *recorder) {
		x := r.input(n, side, side, l.in)
		if l.scale > 1 { // the image itself needs no gradient
			x = r.leaf(n, side, side, l.in)
		}
		r.differentiate(op.Conv2D(r.tape, x, r.leaf(l.out, l.in, l.kernel, l.kernel), l.stride, pad))
	}, nil}
}

// batchNorm is one with ReLU, after the sum with a residual or without, on maps
// of 1/scale of the image's side.
func (s sizes) batchNorm(scale, channels int, residual bool) operation {
	n, side := 2*s.BatchSize, s.side(scale)
	name := "batch norm + ReLU"
	if residual {
		name = "batch norm + residual + ReLU"
	}
	forward, backward := batchNormWork(n*side*side, channels, residual)
	return operation{name, fmt.Sprintf("(%d, %d, %d, %d)", n, side, side, channels), 0, forward, backward, func(r *recorder) {
		w := op.BatchNormWeights{
			Weight: r.leaf(channels), Bias: r.leaf(channels),
			Mean: r.input(channels), Var: r.input(channels), Batches: r.input(),
		}
		x := r.leaf(n, side, side, channels)
		if residual {
			r.differentiate(op.BatchNormAddReLU(r.tape, x, w, r.leaf(n, side, side, channels), true))
		} else {
			r.differentiate(op.BatchNormReLU(r.tape, x, w, true))
		}
	}, nil}
}

func (s sizes) nhwc() operation {
	n, side := 2*s.BatchSize, s.ImageSize
	x := n * 3 * side * side
	return operation{"channels last", fmt.Sprintf("(%d, 3, %d, %d)", n, side, side), 0, traffic(x, x), traffic(x, x), func(r *recorder) {
		r.differentiate(op.NHWC(r.tape, r.leaf(n, 3, side, side)))
	}, nil}
}

func (s sizes) maxPool() operation {
	n, side, channels := 2*s.BatchSize, s.side(2), 64
	out := (side-1)/2 + 1
	x, y := n*side*side*channels, n*out*out*channels
	return operation{"max pool 3x3, stride 2", fmt.Sprintf("(%d, %d, %d, %d)", n, side, side, channels), 0,
		traffic(x, y, y/4), traffic(y, y/4, x), func(r *recorder) {
			r.differentiate(op.MaxPool(r.tape, r.leaf(n, side, side, channels), 3, 2, 1))
		}, nil}
}

func (s sizes) avgPool() operation {
	n, side, channels := 2*s.BatchSize, s.side(32), 2048
	x, y := n*side*side*channels, n*channels
	return operation{"average pool", fmt.Sprintf("(%d, %d, %d, %d)", n, side, side, channels), 0, traffic(x, y), traffic(y, x), func(r *recorder) {
		r.differentiate(op.AvgPool(r.tape, r.leaf(n, side, side, channels)))
	}, nil}
}
