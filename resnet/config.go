package resnet

import (
	"fmt"
	"slices"

	"dino-vk/gpu/op"
)

// Config is the shape of a ResNet.
type Config struct {
	Bottleneck bool  // blocks of 1 × 1, 3 × 3 and 1 × 1 convolutions instead of two 3 × 3
	Layers     []int // blocks of each stage
	Width      int   // channels of the stem and of the first stage; each further stage doubles it
	Stem       Stem
}

// Stem is how a network begins.
type Stem string

const (
	// ImageNet is torchvision's: a 7 × 7 convolution of stride 2 and a maximum
	// over 3 × 3 of stride 2.
	ImageNet Stem = "imagenet"
	// CIFAR keeps small images whole: a 3 × 3 convolution of stride 1 alone.
	CIFAR Stem = "cifar"
)

// Stems lists them.
func Stems() []string { return []string{string(ImageNet), string(CIFAR)} }

// Arch is a named depth of torchvision's.
type Arch struct {
	Name       string
	Bottleneck bool
	Layers     []int
}

// Archs lists the depths.
var Archs = []Arch{
	{"resnet18", false, []int{2, 2, 2, 2}},
	{"resnet34", false, []int{3, 4, 6, 3}},
	{"resnet50", true, []int{3, 4, 6, 3}},
	{"resnet101", true, []int{3, 4, 23, 3}},
}

// expansion is a bottleneck's outputs over its width.
const expansion = 4

// Validate checks that the sizes make a network.
func (c Config) Validate() error {
	if len(c.Layers) == 0 || slices.Min(c.Layers) < 1 || c.Width < 1 {
		return fmt.Errorf("resnet: stages of %v blocks, width %d: all must be positive", c.Layers, c.Width)
	}
	if !slices.Contains(Stems(), string(c.Stem)) {
		return fmt.Errorf("resnet: no stem %q", c.Stem)
	}
	return nil
}

// Features is the width of what Forward returns.
func (c Config) Features() int { return c.out(len(c.Layers) - 1) }

// planes is the width of the 3 × 3 convolutions of a stage.
func (c Config) planes(stage int) int { return c.Width << stage }

// out is the channels that a stage gives.
func (c Config) out(stage int) int {
	if c.Bottleneck {
		return expansion * c.planes(stage)
	}
	return c.planes(stage)
}

// convolution is a bias-free convolution of side × side.
type convolution struct {
	in, out, side, stride int
}

// pad keeps the size at stride 1.
func (v convolution) pad() int { return v.side / 2 }

// stem is the first convolution.
func (c Config) stem() convolution {
	if c.Stem == CIFAR {
		return convolution{3, c.Width, 3, 1}
	}
	return convolution{3, c.Width, 7, 2}
}

// block is a residual block: its convolutions, each with a batch norm, and the
// shortcut's where sizes change.
type block struct {
	name     string
	body     []convolution
	shortcut *convolution // nil: the input itself
}

// blocks are those of a stage.
func (c Config) blocks(stage int) []block {
	in, planes, out := c.Width, c.planes(stage), c.out(stage)
	if stage > 0 {
		in = c.out(stage - 1)
	}
	var list []block
	for i := range c.Layers[stage] {
		stride := 1
		if i == 0 && stage > 0 {
			stride = 2
		}
		b := block{name: fmt.Sprintf("layer%d.%d.", stage+1, i)}
		if c.Bottleneck {
			b.body = []convolution{{in, planes, 1, 1}, {planes, planes, 3, stride}, {planes, out, 1, 1}}
		} else {
			b.body = []convolution{{in, planes, 3, stride}, {planes, out, 3, 1}}
		}
		if stride != 1 || in != out {
			b.shortcut = &convolution{in, out, 1, stride}
		}
		list = append(list, b)
		in = out
	}
	return list
}

// The names of a block's parts: convolution and norm i, and the shortcut's.
func (b block) conv(i int) string    { return fmt.Sprintf("%sconv%d", b.name, i+1) }
func (b block) norm(i int) string    { return fmt.Sprintf("%sbn%d", b.name, i+1) }
func (b block) shortcutConv() string { return b.name + "downsample.0" }
func (b block) shortcutNorm() string { return b.name + "downsample.1" }

// Params lists the weights in the order of torchvision's state dict, starting
// as torchvision's.
func (c Config) Params() []op.Param {
	var list []op.Param
	add := func(conv, norm string, v convolution) {
		list = append(list, op.Param{
			Name: conv + ".weight", Shape: []int{v.out, v.in, v.side, v.side}, Init: op.KaimingNormal(v.out * v.side * v.side),
		})
		list = append(list, op.BatchNormParams(norm, v.out)...)
	}
	add("conv1", "bn1", c.stem())
	for stage := range c.Layers {
		for _, b := range c.blocks(stage) {
			for i, v := range b.body {
				add(b.conv(i), b.norm(i), v)
			}
			if b.shortcut != nil {
				add(b.shortcutConv(), b.shortcutNorm(), *b.shortcut)
			}
		}
	}
	return list
}
