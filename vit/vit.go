package vit

import (
	"fmt"

	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Features is the width of what Forward returns.
func (c Config) Features() int { return c.Dim }

// Output is all that a forward pass computes, for those who look inside.
type Output struct {
	Tokens *gpu.Tensor   // (T, D) packed tokens that enter the first block
	Blocks []*gpu.Tensor // (T, D) after each block
	QKV    *gpu.Tensor   // (T, 3, H, D/H) of the last block
	Runs   []op.Run      // the packed sequences
}

// Forward computes the features (n, D) of images: the CLS tokens after the
// last norm, where n counts the images of all tensors (n_i, 3, H_i, W_i)
// together. The tokens of all images, whatever their sizes, go through each
// layer at once.
func (c Config) Forward(t *op.Tape, w op.Weights, mode op.Mode, images ...*gpu.Tensor) *gpu.Tensor {
	defer t.G.Scope("vit")()
	out := c.Blocks(t, w, mode, images...)
	return c.Norm(t, w, op.Cls(t, out.Blocks[len(out.Blocks)-1], out.Runs))
}

// Norm is the norm after the last block.
func (c Config) Norm(t *op.Tape, w op.Weights, x *gpu.Tensor) *gpu.Tensor {
	return op.LayerNorm(t, x, w("norm.weight"), w("norm.bias"), Eps)
}

// Blocks is Forward up to the last block.
func (c Config) Blocks(t *op.Tape, w op.Weights, mode op.Mode, images ...*gpu.Tensor) Output {
	var out Output
	out.Tokens, out.Runs = c.tokens(t, w, images)
	drop := c.stochasticDepth(t.G, mode.Draw, out.Runs)
	x := out.Tokens
	for i := range c.Depth {
		x = mode.Block(t, x, func(x *gpu.Tensor) (y *gpu.Tensor) {
			y, out.QKV = c.block(t, w, i, x, out.Runs, drop)
			return y
		})
		out.Blocks = append(out.Blocks, x)
	}
	return out
}

// tokens embeds the patches of all images, puts CLS before each sequence and
// adds the position embedding of its size.
func (c Config) tokens(t *op.Tape, w op.Weights, images []*gpu.Tensor) (*gpu.Tensor, []op.Run) {
	defer t.G.Scope("tokens")()
	var runs []op.Run
	var pos []*gpu.Tensor
	for _, x := range images {
		h, width := x.Dim(2), x.Dim(3)
		runs = append(runs, op.Run{Sequences: x.Dim(0), Length: c.Tokens(h, width)})
		pos = append(pos, op.PosEmbed(t, w("pos_embed"), c.PatchSize, h, width))
	}
	weight := w("patch_embed.proj.weight")
	patches := op.Patchify(t, c.PatchSize, images...)
	patches = op.Linear(t, patches, weight.Reshape(c.Dim, weight.Len()/c.Dim), w("patch_embed.proj.bias"))
	return op.AddTokens(t, patches, w("cls_token"), pos, runs), runs
}

// block is pre-norm attention and MLP, each with a residual. It returns the
// queries, keys and values too.
func (c Config) block(t *op.Tape, w op.Weights, i int, x *gpu.Tensor, runs []op.Run, drop *op.DropPath) (y, qkv *gpu.Tensor) {
	name := fmt.Sprintf("blocks.%d.", i)
	defer t.G.Scope(fmt.Sprintf("block %d", i))()
	p := func(s string) *gpu.Tensor { return w(name + s) }

	h := op.LayerNorm(t, x, p("norm1.weight"), p("norm1.bias"), Eps)
	qkv = op.LinearInner(t, h, p("attn.qkv.weight"), p("attn.qkv.bias"))
	h = op.Attention(t, qkv, c.Heads, runs)
	x = residual(t, x, h, p("attn.proj.weight"), p("attn.proj.bias"), drop, i, 0)

	h = op.LayerNorm(t, x, p("norm2.weight"), p("norm2.bias"), Eps)
	h = op.LinearGELU(t, h, p("mlp.fc1.weight"), p("mlp.fc1.bias"))
	return residual(t, x, h, p("mlp.fc2.weight"), p("mlp.fc2.bias"), drop, i, 1), qkv
}

// residual is x + s (h Wᵀ + b), with the factors s of stochastic depth.
func residual(t *op.Tape, x, h, weight, bias *gpu.Tensor, drop *op.DropPath, layer, branch int) *gpu.Tensor {
	if drop == nil {
		return op.LinearResidual(t, h, weight, bias, x)
	}
	return op.Residual(t, x, op.Linear(t, h, weight, bias), drop, layer, branch)
}

// stochasticDepth draws which residual branches each image loses.
func (c Config) stochasticDepth(g *gpu.Graph, draw *op.Draw, runs []op.Run) *op.DropPath {
	if draw == nil || c.DropPath == 0 || c.Depth == 1 {
		return nil
	}
	batch := draw.Images.Dim(0)
	pack := op.Packing{Batch: batch, Globals: runs[0].Sequences / batch, Crops: runs[0].Sequences / batch, GlobalTokens: runs[0].Length}
	if len(runs) > 1 {
		pack.Crops += runs[1].Sequences / batch
		pack.LocalTokens = runs[1].Length
	}
	return op.NewDropPath(g, float32(c.DropPath), c.Depth, pack, draw.Images, draw.Params)
}
