package dino

import (
	"context"
	"io"
	"slices"

	"dino-vk/dino/data"
	"dino-vk/gpu"
)

// sweep sends pictures through one recorded graph, batch by batch, and looks at
// what comes out of each.
type sweep struct {
	store    *gpu.Store
	pictures *pictures
	batch    int
	graph    *gpu.Graph
	program  *gpu.Program
}

// newSweep begins a graph on batches of pictures of at most area pixels. pix
// and table are the batch as the augmentation and the evaluation transform take
// it.
func newSweep(caps gpu.Caps, store *gpu.Store, batch, area int) (s sweep, pix, table *gpu.Tensor) {
	s = sweep{store: store, pictures: newPictures(store, batch, area), batch: batch, graph: gpu.NewGraph(caps)}
	return s, s.pictures.pix, s.pictures.table
}

// start takes memory, compiles the graph and, with upload, fills the weights.
// What it took is freed on an error.
func (s *sweep) start(dev *gpu.Device, upload func() error) error {
	if err := s.store.Allocate(dev); err != nil {
		return err
	}
	programs, err := gpu.Compile(dev, s.graph)
	if err == nil {
		s.program = programs[0]
		err = upload()
	}
	if err != nil {
		s.Close()
	}
	return err
}

// Close frees what start took.
func (s *sweep) Close() {
	s.program.Close()
	s.store.Close()
}

// run sends the pictures of src with the given numbers through the graph and
// calls visit for each in order, when row of a slot's host tensors holds what
// came out. Pictures that can't be read are left out and returned.
func (s *sweep) run(ctx context.Context, src data.Source, indices []int, workers int, visit func(i, slot, row int) error) (skipped []error, err error) {
	loader := data.NewLoader(ctx, src, slices.Chunk(indices, s.batch), workers, 2)
	defer loader.Close()
	var inFlight [gpu.Slots][]data.Item
	collect := func(slot int) error {
		items := inFlight[slot]
		inFlight[slot] = nil
		for row, item := range items {
			if item.Read != item.Index {
				continue
			}
			if err := visit(item.Index, slot, row); err != nil {
				return err
			}
		}
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
		slot, err := s.program.Acquire(ctx)
		if err != nil {
			return skipped, err
		}
		if err := collect(slot); err != nil {
			return skipped, err
		}
		for row := range s.batch {
			item := b.Items[min(row, len(b.Items)-1)] // the last batch is filled up
			s.pictures.put(slot, row, item.Index, item.Image)
		}
		if err := s.program.Submit(slot); err != nil {
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
		if err := s.program.Wait(ctx, slot); err != nil {
			return skipped, err
		}
		if err := collect(slot); err != nil {
			return skipped, err
		}
	}
	return skipped, nil
}

// row is a row of the slot's copy of a host tensor.
func (s *sweep) row(t *gpu.Tensor, slot, row int) []float32 {
	bytes := s.store.Mapped(t, slot)
	n := len(bytes) / t.Dim(0)
	return gpu.BytesF32(bytes[row*n : (row+1)*n])
}

// all numbers the pictures of src.
func all(src data.Source) []int {
	indices := make([]int, src.Len())
	for i := range indices {
		indices[i] = i
	}
	return indices
}
