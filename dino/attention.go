package dino

import (
	"context"
	"errors"
	"fmt"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// ErrNoAttention says that a backbone computes no attention.
var ErrNoAttention = errors.New("the backbone has no attention")

// attentive is a backbone whose attention can be looked at.
type attentive interface {
	// Patch is the side in pixels of what a token stands for.
	Patch() int
	// Attention records the attention of the last block's CLS in images (n, 3,
	// H, W): (n, heads, 1, 1+patches).
	Attention(t *op.Tape, w op.Weights, images *gpu.Tensor) *gpu.Tensor
}

// Attention computes where the CLS token looks in whole pictures, after the
// transform that Extractor applies too.
type Attention struct {
	sweep
	images *gpu.Tensor // (B, 3, S, S), a copy a slot
	probs  *gpu.Tensor // (B, H, 1, 1+patches), a copy a slot
	side   int         // patches
	patch  int         // pixels
}

// AttentionMap is the self-attention of CLS in a picture.
type AttentionMap struct {
	// Picture (3, Size, Size) is what the network saw, normalised, without the
	// pixels at the right and at the bottom that fill no patch.
	Picture []float32
	Size    int
	// Heads (H) hold a weight for each patch (Side·Side), line by line. What a
	// head lacks to 1 is the attention of CLS to itself.
	Heads [][]float32
	Side  int
}

// NewAttention prepares the attention of m's last block, for batches of
// pictures of at most area pixels (data.Set.Area), at size, the side in pixels.
// A backbone without attention gives ErrNoAttention.
func NewAttention(dev *gpu.Device, m *Model, size, batch, area int) (*Attention, error) {
	backbone, ok := m.Backbone.(attentive)
	if !ok {
		return nil, ErrNoAttention
	}
	patch := backbone.Patch()
	if size < patch {
		return nil, fmt.Errorf("attention: pictures of %d pixels hold no patch of %d", size, patch)
	}
	store := gpu.NewStore()
	w, upload := m.weights(store)
	sweep, pix, table := newSweep(dev.Caps(), store, batch, area)
	x := op.EvalTransform(sweep.graph, pix, table, size)
	probs := backbone.Attention(op.NewTape(sweep.graph), w, x)
	a := &Attention{
		sweep:  sweep,
		images: store.Host("images", gpu.F32, x.Shape...),
		probs:  store.Host("probs", gpu.F32, probs.Shape...),
		side:   size / patch, patch: patch,
	}
	a.graph.Copy(a.images, x)
	a.graph.Copy(a.probs, probs)
	if err := a.graph.Err(); err != nil {
		return nil, fmt.Errorf("attention: %w", err)
	}
	if err := a.start(dev, upload); err != nil {
		return nil, err
	}
	return a, nil
}

// Heads is how many maps there are of a picture.
func (a *Attention) Heads() int { return a.probs.Dim(1) }

// Maps calls visit with the attention in the pictures of src with the given
// numbers, in order. Pictures that can't be read are left out and returned.
func (a *Attention) Maps(ctx context.Context, src data.Source, indices []int, workers int, visit func(i int, m AttentionMap) error) (skipped []error, err error) {
	tokens := 1 + a.side*a.side
	return a.run(ctx, src, indices, workers, func(i, slot, row int) error {
		m := AttentionMap{Size: a.side * a.patch, Side: a.side}
		m.Picture = corner(a.row(a.images, slot, row), a.images.Dim(3), m.Size)
		probs := a.row(a.probs, slot, row)
		for h := range a.Heads() {
			m.Heads = append(m.Heads, probs[h*tokens+1:(h+1)*tokens])
		}
		return visit(i, m)
	})
}

// corner is the upper left corner (3, to, to) of a picture (3, from, from).
func corner(x []float32, from, to int) []float32 {
	if from == to {
		return x
	}
	y := make([]float32, 0, 3*to*to)
	for c := range 3 {
		for row := range to {
			at := (c*from + row) * from
			y = append(y, x[at:at+to]...)
		}
	}
	return y
}
