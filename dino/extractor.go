package dino

import (
	"context"
	"fmt"
	"io"
	"slices"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Extractor computes features of whole pictures: the evaluation transform
// (shorter side to 256/224 of the size, center crop, normalise), then the
// backbone.
type Extractor struct {
	store    *gpu.Store
	pictures *pictures
	features *gpu.Tensor // (B, D), a copy a slot
	graph    *gpu.Graph
	program  *gpu.Program
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
	if err := store.Allocate(dev); err != nil {
		return nil, err
	}
	programs, err := gpu.Compile(dev, e.graph)
	if err == nil {
		e.program = programs[0]
		err = upload()
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Width is the length D of a feature.
func (e *Extractor) Width() int { return e.features.Dim(1) }

// Close frees an extractor that NewExtractor made.
func (e *Extractor) Close() {
	e.program.Close()
	e.store.Close()
}

// newExtractor records the features of batches of pictures of at most area
// pixels, at the given size, with the weights of a backbone.
func newExtractor(backbone Backbone, size int, caps gpu.Caps, store *gpu.Store, w op.Weights, batch, area int) (*Extractor, error) {
	e := &Extractor{
		store:    store,
		pictures: newPictures(store, batch, area),
		features: store.Host("features", gpu.F32, batch, backbone.Features()),
		graph:    gpu.NewGraph(caps),
	}
	pix, table := e.pictures.record(e.graph)
	t := op.NewTape(e.graph)
	x := op.EvalTransform(e.graph, pix, table, size)
	e.graph.Copy(e.features, backbone.Forward(t, w, nil, x))
	if err := e.graph.Err(); err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return e, nil
}

// Features calls visit with the feature (D) of every picture of src in order.
// Pictures that can't be read are left out and returned. The slice is visit's
// only during the call.
func (e *Extractor) Features(ctx context.Context, src data.Source, workers int, visit func(i int, feature []float32) error) (skipped []error, err error) {
	batch := e.features.Dim(0)
	indices := make([]int, src.Len())
	for i := range indices {
		indices[i] = i
	}
	loader := data.NewLoader(ctx, src, slices.Chunk(indices, batch), workers, 2)
	defer loader.Close()
	var inFlight [gpu.Slots][]data.Item
	collect := func(slot int) error {
		values := gpu.BytesF32(e.store.Mapped(e.features, slot))
		width := e.features.Dim(1)
		for row, item := range inFlight[slot] {
			if item.Read != item.Index {
				continue
			}
			if err := visit(item.Index, values[row*width:(row+1)*width]); err != nil {
				return err
			}
		}
		inFlight[slot] = nil
		return nil
	}
	next := 0
	for {
		b, err := loader.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return skipped, err
		}
		skipped = append(skipped, b.Skipped...)
		slot, err := e.program.Acquire(ctx)
		if err != nil {
			return skipped, err
		}
		if err := collect(slot); err != nil {
			return skipped, err
		}
		for row := range batch {
			item := b.Items[min(row, len(b.Items)-1)] // the last batch is filled up
			e.pictures.put(slot, row, item.Index, item.Image)
		}
		if err := e.program.Submit(slot); err != nil {
			return skipped, err
		}
		inFlight[slot] = b.Items
		next = (slot + 1) % gpu.Slots
	}
	for i := range gpu.Slots {
		slot := (next + i) % gpu.Slots
		if inFlight[slot] == nil {
			continue
		}
		if err := e.program.Wait(ctx, slot); err != nil {
			return skipped, err
		}
		if err := collect(slot); err != nil {
			return skipped, err
		}
	}
	return skipped, nil
}
