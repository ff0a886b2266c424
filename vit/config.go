package vit

import (
	"fmt"

	"dino-vk/gpu/op"
)

// Eps is the epsilon of every layer norm.
const Eps = 1e-6

// MLPRatio is the width of a block's hidden layer over the model's.
const MLPRatio = 4

// Config is the shape of a Vision Transformer.
type Config struct {
	ImageSize int // side in pixels of the square images that the position embedding is for
	PatchSize int // side in pixels of a patch
	Dim       int // width D
	Depth     int // blocks
	Heads     int
	InitStd   float64 // standard deviation of the linear layers' first weights
	DropPath  float64 // rate of stochastic depth at the last block; it grows linearly from 0
}

// Validate checks that the sizes fit together.
func (c Config) Validate() error {
	switch {
	case c.PatchSize < 1 || c.ImageSize < c.PatchSize:
		return fmt.Errorf("vit: images of %d pixels hold no patch of %d", c.ImageSize, c.PatchSize)
	case c.Dim < 1 || c.Depth < 1 || c.Heads < 1 || c.Dim%c.Heads != 0:
		return fmt.Errorf("vit: width %d, depth %d, heads %d: all must be positive and the heads divide the width", c.Dim, c.Depth, c.Heads)
	case c.DropPath < 0 || c.DropPath >= 1:
		return fmt.Errorf("vit: drop path rate %g: must be in [0, 1)", c.DropPath)
	}
	return nil
}

// Tokens is the length of the sequence of an h × w image: patches and CLS.
func (c Config) Tokens(h, w int) int { return 1 + (h/c.PatchSize)*(w/c.PatchSize) }

// Params lists the weights in the order of the reference's state dict.
func (c Config) Params() []op.Param {
	d, patch := c.Dim, 3*c.PatchSize*c.PatchSize
	normal, zero, one := op.TruncNormal(0.02), op.Constant(0), op.Constant(1)
	list := []op.Param{
		{Name: "cls_token", Shape: []int{1, 1, d}, Init: normal},
		{Name: "pos_embed", Shape: []int{1, c.Tokens(c.ImageSize, c.ImageSize), d}, Init: normal},
		{Name: "patch_embed.proj.weight", Shape: []int{d, 3, c.PatchSize, c.PatchSize}, Init: op.FanIn(patch)},
		{Name: "patch_embed.proj.bias", Shape: []int{d}, Init: op.FanIn(patch)},
	}
	norm := func(name string) {
		list = append(list, op.Param{Name: name + ".weight", Shape: []int{d}, Init: one},
			op.Param{Name: name + ".bias", Shape: []int{d}, Init: zero})
	}
	linear := func(name string, in, out int) {
		list = append(list, op.Param{Name: name + ".weight", Shape: []int{out, in}, Init: op.TruncNormal(c.InitStd)},
			op.Param{Name: name + ".bias", Shape: []int{out}, Init: zero})
	}
	for i := range c.Depth {
		block := fmt.Sprintf("blocks.%d.", i)
		norm(block + "norm1")
		linear(block+"attn.qkv", d, 3*d)
		linear(block+"attn.proj", d, d)
		norm(block + "norm2")
		linear(block+"mlp.fc1", d, MLPRatio*d)
		linear(block+"mlp.fc2", MLPRatio*d, d)
	}
	norm("norm")
	return list
}
