package onnx

import (
	"fmt"

	"dino-vk/gpu/op"
	"dino-vk/resnet"
)

// resnet adds a ResNet in evaluation, batch norm by its running statistics, for
// images of size pixels. All is (n, C, H, W).
func (g *graph) resnet(c resnet.Config, size int) {
	half := func(size int) int { return (size + 1) / 2 } // by a stride of 2
	g.scope = "stem/"
	stride := 1
	if c.Stem == resnet.ImageNet {
		stride, size = 2, half(half(size))
	}
	x := g.relu(g.convNorm("image", "conv1", "bn1", stride))
	if c.Stem == resnet.ImageNet {
		x = g.node("MaxPool", []string{x}, attribute{"kernel_shape", []int{3, 3}},
			attribute{"strides", []int{2, 2}}, attribute{"pads", []int{1, 1, 1, 1}})
	}
	for stage, blocks := range c.Layers {
		if stage > 0 {
			size = half(size)
		}
		for i := range blocks {
			stride := 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			x = g.residual(c, fmt.Sprintf("layer%d.%d.", stage+1, i), stride, x)
		}
	}
	g.scope = ""
	x = g.output("maps", c.Features(), size, size)
	g.reshape(g.node("GlobalAveragePool", []string{x}), -1, c.Features())
	g.output("features", c.Features())
}

// residual is a block; its first 3 × 3 convolution has the stride.
func (g *graph) residual(c resnet.Config, name string, stride int, x string) string {
	g.scope = name + "/"
	convolutions, strided := 2, 1
	if c.Bottleneck {
		convolutions, strided = 3, 2
	}
	shortcut := x
	if _, ok := g.params[name+"downsample.0.weight"]; ok {
		shortcut = g.convNorm(x, name+"downsample.0", name+"downsample.1", stride)
	}
	for i := 1; i <= convolutions; i++ {
		s := 1
		if i == strided {
			s = stride
		}
		x = g.convNorm(x, fmt.Sprintf("%sconv%d", name, i), fmt.Sprintf("%sbn%d", name, i), s)
		if i < convolutions {
			x = g.relu(x)
		}
	}
	return g.relu(g.two("Add", x, shortcut))
}

// convNorm is a convolution that keeps the size at stride 1, and a batch norm.
func (g *graph) convNorm(x, conv, norm string, stride int) string {
	conv += ".weight"
	side := g.params[conv].Shape[3]
	pad := side / 2
	x = g.node("Conv", []string{x, g.weight(conv)}, attribute{"kernel_shape", []int{side, side}},
		attribute{"strides", []int{stride, stride}}, attribute{"pads", []int{pad, pad, pad, pad}})
	return g.node("BatchNormalization", []string{x, g.weight(norm + ".weight"), g.weight(norm + ".bias"),
		g.weight(norm + ".running_mean"), g.weight(norm + ".running_var")}, attribute{"epsilon", float32(op.BatchNormEps)})
}

func (g *graph) relu(x string) string { return g.node("Relu", []string{x}) }
