package dino

import (
	"context"
	"fmt"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Extractor computes features of whole pictures: the evaluation transform
// (shorter side to 256/224 of the size, center crop, normalise), then the
// backbone.
type Extractor struct {
	sweep
	features *gpu.Tensor // (B, D), a copy a slot
}

// NewExtractor makes an extractor of m's features, of batches of pictures of at
// most area pixels (data.Set.Area), at size, the side in pixels.
func NewExtractor(dev *gpu.Device, m *Model, size, batch, area int) (*Extractor, error) {
	store := gpu.NewStore()
	w, upload := m.weights(store)
	e, err := newExtractor(m.Backbone, size, dev.Caps(), store, w, batch, area)
	if err != nil {
		return nil, err
	}
	if err := e.start(dev, upload); err != nil {
		return nil, err
	}
	return e, nil
}

// Width is the length D of a feature.
func (e *Extractor) Width() int { return e.features.Dim(1) }

// newExtractor records the features of batches of pictures of at most area
// pixels, at the given size, with the weights of a backbone.
func newExtractor(backbone Backbone, size int, caps gpu.Caps, store *gpu.Store, w op.Weights, batch, area int) (*Extractor, error) {
	sweep, pix, table := newSweep(caps, store, batch, area)
	e := &Extractor{sweep, store.Host("features", gpu.F32, batch, backbone.Features())}
	x := op.EvalTransform(e.graph, pix, table, size)
	e.graph.Copy(e.features, backbone.Forward(op.NewTape(e.graph), w, op.Mode{}, x))
	if err := e.graph.Err(); err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return e, nil
}

// Features calls visit with the feature (D) of every picture of src in order.
// Pictures that can't be read are left out and returned.
func (e *Extractor) Features(ctx context.Context, src data.Source, workers int, visit func(i int, feature []float32) error) (skipped []error, err error) {
	return e.run(ctx, src, all(src), workers, func(i, slot, row int) error {
		return visit(i, e.row(e.features, slot, row))
	})
}
