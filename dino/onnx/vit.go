package onnx

import (
	"math"
	"strconv"

	"dino-vk/vit"
)

// vit adds a Vision Transformer for images of size pixels. From the embedding
// to the last norm the tokens of all images are rows of one matrix (n (1+T), D),
// as they are in package vit.
func (g *graph) vit(c vit.Config, size int) {
	side, tokens, d := size/c.PatchSize, c.Tokens(size, size), c.Dim
	g.scope = "tokens/"
	patch := []int{c.PatchSize, c.PatchSize}
	x := g.node("Conv", []string{"image", g.weight("patch_embed.proj.weight"), g.weight("patch_embed.proj.bias")},
		attribute{"kernel_shape", patch}, attribute{"strides", patch})
	x = g.transpose(g.reshape(x, 0, d, side*side), 0, 2, 1)
	x = g.two("Pad", x, g.ints(0, 1, 0, 0, 0, 0)) // CLS begins as zeros: the embedding brings it
	x = g.two("Add", x, g.embedding(c, size))
	x = g.reshape(x, -1, d)
	for i := range c.Depth {
		x = g.block(c, tokens, "blocks."+strconv.Itoa(i)+".", x)
	}
	g.scope = ""
	x = g.norm(x, "norm")
	x = g.reshape(x, -1, tokens, d)
	g.node("Gather", []string{x, g.index(0)}, attribute{"axis", 1})
	g.output("cls", d)
	starts, ends, axes := g.ints(1), g.ints(tokens), g.ints(1)
	g.node("Slice", []string{x, starts, ends, axes})
	g.output("patches", tokens-1, d)
}

// block is pre-norm attention and MLP, each with a residual.
func (g *graph) block(c vit.Config, tokens int, name, x string) string {
	g.scope = name + "attn/"
	h := g.linear(g.norm(x, name+"norm1"), name+"attn.qkv")
	h = g.attention(c, tokens, h)
	x = g.two("Add", x, g.linear(h, name+"attn.proj"))
	g.scope = name + "mlp/"
	h = g.gelu(g.linear(g.norm(x, name+"norm2"), name+"mlp.fc1"))
	return g.two("Add", x, g.linear(h, name+"mlp.fc2"))
}

// attention is softmax(q kᵀ / √(D/H)) v of each head, of qkv (n (1+T), 3 D).
func (g *graph) attention(c vit.Config, tokens int, qkv string) string {
	d, width := c.Dim, c.Dim/c.Heads
	parts := g.split(qkv, 1, 3)
	head := func(i int, order ...int) string {
		return g.transpose(g.reshape(parts[i], -1, tokens, c.Heads, width), order...)
	}
	q, k, v := head(0, 0, 2, 1, 3), head(1, 0, 2, 3, 1), head(2, 0, 2, 1, 3)
	scores := g.two("Mul", g.two("MatMul", q, k), g.float(float32(1/math.Sqrt(float64(width)))))
	probs := g.node("Softmax", []string{scores}, attribute{"axis", -1})
	return g.reshape(g.transpose(g.two("MatMul", probs, v), 0, 2, 1, 3), -1, d)
}

// norm is a layer norm of x (rows, D).
func (g *graph) norm(x, layer string) string {
	mean := func(x string) string { return g.node("ReduceMean", []string{x}, attribute{"axes", []int{1}}) }
	centered := g.two("Sub", x, mean(x))
	variance := mean(g.two("Pow", centered, g.float(2)))
	std := g.node("Sqrt", []string{g.two("Add", variance, g.float(vit.Eps))})
	return g.two("Add", g.two("Mul", g.two("Div", centered, std), g.weight(layer+".weight")), g.weight(layer+".bias"))
}

// gelu is x Φ(x) = x (1 + erf(x/√2)) / 2.
func (g *graph) gelu(x string) string {
	erf := g.node("Erf", []string{g.two("Div", x, g.float(math.Sqrt2))})
	return g.two("Mul", g.two("Mul", x, g.two("Add", erf, g.float(1))), g.float(0.5))
}

// embedding is the position embedding (1, 1+T, D) of images of size pixels, with
// the CLS token added to its first row.
func (g *graph) embedding(c vit.Config, size int) string {
	from, to := c.ImageSize/c.PatchSize, size/c.PatchSize
	values := func() ([]float32, error) {
		cls, err := g.read("cls_token")
		if err != nil {
			return nil, err
		}
		pos, err := g.read("pos_embed")
		if err != nil {
			return nil, err
		}
		pos = vit.ResizePosEmbed(pos, from, to, c.Dim)
		for i, v := range cls {
			pos[i] += v
		}
		return pos, nil
	}
	return g.tensor(tensor{name: "pos_embed", shape: []int{1, c.Tokens(size, size), c.Dim}, floats: values})
}
