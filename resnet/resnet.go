package resnet

import (
	"strings"

	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Output is all that a forward pass of images of one size computes, for those
// who look inside.
type Output struct {
	Stem     *gpu.Tensor   // (n, H, W, Width) that enter the first stage
	Stages   []*gpu.Tensor // (n, H, W, C) after each stage
	Features *gpu.Tensor   // (n, Features)
}

// Forward computes the features (n, Features) of images, where n counts the
// images of all tensors (n_i, 3, H_i, W_i) together. Each tensor goes through
// the network by itself: in training, batch norm's statistics are its own, and
// it moves the running ones by itself, as the reference does with crops of each
// size.
func (c Config) Forward(t *op.Tape, w op.Weights, mode op.Mode, images ...*gpu.Tensor) *gpu.Tensor {
	var features []*gpu.Tensor
	for _, x := range images {
		features = append(features, c.Stages(t, w, mode, x).Features)
	}
	return op.Concat(t, features...)
}

// Stages is Forward of images (n, 3, H, W) of one size.
func (c Config) Stages(t *op.Tape, w op.Weights, mode op.Mode, images *gpu.Tensor) Output {
	defer t.G.Scope("resnet")()
	var out Output
	x := c.begin(t, w, mode, images)
	out.Stem = x
	for stage := range c.Layers {
		for _, b := range c.blocks(stage) {
			x = mode.Block(t, x, func(x *gpu.Tensor) *gpu.Tensor { return b.forward(t, w, mode, x) })
		}
		out.Stages = append(out.Stages, x)
	}
	out.Features = op.AvgPool(t, x)
	return out
}

// begin is the stem.
func (c Config) begin(t *op.Tape, w op.Weights, mode op.Mode, images *gpu.Tensor) *gpu.Tensor {
	defer t.G.Scope("stem")()
	x := c.stem().record(t, op.NHWC(t, images), w("conv1.weight"))
	x = op.BatchNormReLU(t, x, w.BatchNorm("bn1"), mode.Train)
	if c.Stem == CIFAR {
		return x
	}
	return op.MaxPool(t, x, 3, 2, 1)
}

// forward is y = relu(body(x) + shortcut(x)).
func (b block) forward(t *op.Tape, w op.Weights, mode op.Mode, x *gpu.Tensor) *gpu.Tensor {
	defer t.G.Scope(strings.TrimSuffix(b.name, "."))()
	shortcut := x
	if b.shortcut != nil {
		shortcut = b.shortcut.record(t, x, w(b.shortcutConv()+".weight"))
		shortcut = op.BatchNorm(t, shortcut, w.BatchNorm(b.shortcutNorm()), mode.Train)
	}
	last := len(b.body) - 1
	for i, v := range b.body[:last] {
		x = v.record(t, x, w(b.conv(i)+".weight"))
		x = op.BatchNormReLU(t, x, w.BatchNorm(b.norm(i)), mode.Train)
	}
	x = b.body[last].record(t, x, w(b.conv(last)+".weight"))
	return op.BatchNormAddReLU(t, x, w.BatchNorm(b.norm(last)), shortcut, mode.Train)
}

func (v convolution) record(t *op.Tape, x, weight *gpu.Tensor) *gpu.Tensor {
	return op.Conv2D(t, x, weight, v.stride, v.pad())
}

// Layer is a convolution of a network with the batch norm behind it, for those who
// count or measure.
type Layer struct {
	In, Out, Side, Stride int
	Scale                 int  // the image's side over that of the convolution's input
	ReLU, Residual        bool // what the batch norm is fused with
}

// Convolutions lists the layers in the order of a forward pass.
func (c Config) Convolutions() []Layer {
	scale := 1
	layer := func(v convolution, relu, residual bool) Layer {
		return Layer{v.in, v.out, v.side, v.stride, scale, relu, residual}
	}
	list := []Layer{layer(c.stem(), true, false)}
	if c.Stem == ImageNet {
		scale = 4
	}
	for stage := range c.Layers {
		for _, b := range c.blocks(stage) {
			if b.shortcut != nil {
				list = append(list, layer(*b.shortcut, false, false))
			}
			for i, v := range b.body {
				list = append(list, layer(v, true, i == len(b.body)-1))
				scale *= v.stride
			}
		}
	}
	return list
}
