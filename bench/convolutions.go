package bench

import (
	"fmt"

	"dino-vk/gpu/op"
	"dino-vk/resnet"
)

// maps are the images of one size that a ResNet sees in a step.
type maps struct{ n, side int }

// at is the side of the maps whose scale is the image's side over theirs.
func (m maps) at(scale int) int { return (m.side + scale - 1) / scale }

// resNet lists what a ResNet does to the crops of each size (arXiv 1512.03385,
// table 1), each kind of layer once.
func (s sizes) resNet(c resnet.Config) []operation {
	sizes := []maps{{2 * s.BatchSize, s.ImageSize}}
	if s.LocalCropsNumber > 0 {
		sizes = append(sizes, maps{s.LocalCropsNumber * s.BatchSize, s.LocalSize})
	}
	type norm struct {
		scale, channels int
		relu, residual  bool
	}
	var list []operation
	for _, m := range sizes {
		list = append(list, m.nhwc())
		last, convolutions, norms := 1, map[resnet.Layer]int{}, map[norm]int{}
		var layers []resnet.Layer
		var after []norm
		for _, l := range c.Convolutions() {
			last = l.Scale * l.Stride
			n := norm{last, l.Out, l.ReLU, l.Residual}
			l.ReLU, l.Residual = false, false
			if convolutions[l]++; convolutions[l] == 1 {
				layers = append(layers, l)
			}
			if norms[n]++; norms[n] == 1 {
				after = append(after, n)
			}
		}
		for _, l := range layers {
			list = append(list, m.convolution(l, convolutions[l]))
		}
		for _, n := range after {
			list = append(list, m.batchNorm(n.scale, n.channels, n.relu, n.residual, norms[n]))
		}
		if c.Stem == resnet.ImageNet {
			list = append(list, m.maxPool(c.Width))
		}
		list = append(list, m.avgPool(last, c.Features()))
	}
	if len(sizes) > 1 {
		list = append(list, s.concat())
	}
	return append(list, s.statistics())
}

// concat puts the features of both sizes of crops together.
func (s sizes) concat() operation {
	globals, locals := 2*s.BatchSize, s.LocalCropsNumber*s.BatchSize
	y := s.crops * s.dim
	return operation{"features", fmt.Sprintf("(%d, %d) and (%d, %d)", globals, s.dim, locals, s.dim), 1, traffic(y, y), traffic(y, y), func(r *recorder) {
		r.differentiate(op.Concat(r.tape, r.leaf(globals, s.dim), r.leaf(locals, s.dim)))
	}, nil}
}

// statistics moves batch norm's running ones, of one network: those that a step
// makes become those that are kept if the step is good.
func (s sizes) statistics() operation {
	var buffers []op.Param
	n := 0
	for _, p := range params(s.Config) {
		if p.Buffer {
			buffers = append(buffers, p)
			n += p.Len()
		}
	}
	return operation{"running statistics", fmt.Sprintf("%d numbers", n), 0, traffic(n, n, n, n), work{}, func(r *recorder) {
		b, err := op.NewBuffers(r.store, buffers, r.g.Caps().MaxBinding)
		if err != nil {
			r.g.Errorf("%w", err)
			return
		}
		b.Begin(r.g)
		b.Commit(r.g, r.zeros(op.StatusWords))
	}, nil}
}

func (m maps) convolution(l resnet.Layer, times int) operation {
	side, pad := m.at(l.Scale), l.Side/2
	out := (side+2*pad-l.Side)/l.Stride + 1
	forward, backward := convolutionWork(m.n, side, out, l.In, l.Out, l.Side, l.Scale > 1)
	name := fmt.Sprintf("convolution %dx%d", l.Side, l.Side)
	if l.Stride > 1 {
		name += fmt.Sprintf(", stride %d", l.Stride)
	}
	return operation{name, fmt.Sprintf("(%d, %d, %d, %d) → %d", m.n, side, side, l.In, l.Out), times, forward, backward, func(r *recorder) {
		x := r.input(m.n, side, side, l.In)
		if l.Scale > 1 { // the image itself needs no gradient
			x = r.leaf(m.n, side, side, l.In)
		}
		r.differentiate(op.Conv2D(r.tape, x, r.leaf(l.Out, l.In, l.Side, l.Side), l.Stride, pad))
	}, nil}
}

// batchNorm is one, with ReLU or without, after the sum with a residual or
// without, on maps of 1/scale of the image's side.
func (m maps) batchNorm(scale, channels int, relu, residual bool, times int) operation {
	side := m.at(scale)
	name := "batch norm"
	if residual {
		name += " + residual"
	}
	if relu {
		name += " + ReLU"
	}
	forward, backward := batchNormWork(m.n*side*side, channels, residual)
	return operation{name, fmt.Sprintf("(%d, %d, %d, %d)", m.n, side, side, channels), times, forward, backward, func(r *recorder) {
		w := op.BatchNormWeights{
			Weight: r.leaf(channels), Bias: r.leaf(channels),
			Mean: r.input(channels), Var: r.input(channels), Batches: r.input(),
		}
		x := r.leaf(m.n, side, side, channels)
		switch {
		case residual:
			r.differentiate(op.BatchNormAddReLU(r.tape, x, w, r.leaf(m.n, side, side, channels), true))
		case relu:
			r.differentiate(op.BatchNormReLU(r.tape, x, w, true))
		default:
			r.differentiate(op.BatchNorm(r.tape, x, w, true))
		}
	}, nil}
}

func (m maps) nhwc() operation {
	x := m.n * 3 * m.side * m.side
	return operation{"channels last", fmt.Sprintf("(%d, 3, %d, %d)", m.n, m.side, m.side), 1, traffic(x, x), traffic(x, x), func(r *recorder) {
		r.differentiate(op.NHWC(r.tape, r.leaf(m.n, 3, m.side, m.side)))
	}, nil}
}

func (m maps) maxPool(channels int) operation {
	side := m.at(2)
	out := (side-1)/2 + 1
	x, y := m.n*side*side*channels, m.n*out*out*channels
	return operation{"max pool 3x3, stride 2", fmt.Sprintf("(%d, %d, %d, %d)", m.n, side, side, channels), 1,
		traffic(x, y, y/4), traffic(y, y/4, x), func(r *recorder) {
			r.differentiate(op.MaxPool(r.tape, r.leaf(m.n, side, side, channels), 3, 2, 1))
		}, nil}
}

func (m maps) avgPool(scale, channels int) operation {
	side := m.at(scale)
	x, y := m.n*side*side*channels, m.n*channels
	return operation{"average pool", fmt.Sprintf("(%d, %d, %d, %d)", m.n, side, side, channels), 1, traffic(x, y), traffic(y, x), func(r *recorder) {
		r.differentiate(op.AvgPool(r.tape, r.leaf(m.n, side, side, channels)))
	}, nil}
}
