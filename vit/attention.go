package vit

import (
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Attention computes how the last block's CLS attends to each token of images x
// (n, 3, H, W): probs (n, heads, 1, tokens), the weights of CLS itself first,
// then those of the patches line by line.
func (c Config) Attention(t *op.Tape, w op.Weights, x *gpu.Tensor) *gpu.Tensor {
	defer t.G.Scope("vit")()
	out := c.Blocks(t, w, op.Mode{}, x)
	return op.AttentionProbs(t, out.QKV, c.Heads, out.Runs[0].Length, 1)
}

// Patch is the side of a patch in pixels.
func (c Config) Patch() int { return c.PatchSize }
