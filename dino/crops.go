package dino

import (
	"context"
	"fmt"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Cropper makes the crops of training without training, to be looked at.
type Cropper struct {
	sweep
	globals, locals *gpu.Tensor // (crops·B, 3, side, side) crop-major, a copy a slot
}

// PictureCrops are the crops of a picture, each (3, side, side), normalised.
type PictureCrops struct{ Globals, Locals [][]float32 }

// NewCropper prepares the crops that a run of these settings makes in an epoch,
// counted from 0, of batches of pictures of at most area pixels (data.Set.Area).
// Of the settings only the crops' and the seed matter.
func NewCropper(dev *gpu.Device, c Config, epoch, batch, area int) (*Cropper, error) {
	if err := c.validateCrops(); err != nil {
		return nil, err
	}
	store := gpu.NewStore()
	sweep, pix, table := newSweep(dev.Caps(), store, batch, area)
	params := store.New("params", gpu.U32, paramWords)
	crops := op.Augment(sweep.graph, c.augmentation(), pix, table, params)
	if err := sweep.graph.Err(); err != nil {
		return nil, fmt.Errorf("crops: %w", err)
	}
	k := &Cropper{sweep: sweep}
	keep := func(name string, crops *gpu.Tensor) *gpu.Tensor {
		if crops == nil {
			return nil
		}
		host := store.Host(name, gpu.F32, crops.Shape...)
		k.graph.Copy(host, crops)
		return host
	}
	k.globals, k.locals = keep("globals", crops.Globals), keep("locals", crops.Locals)
	err := k.start(dev, func() error {
		bytes, err := gpu.Encode(op.StepParams{SeedLo: uint32(c.Seed), SeedHi: uint32(c.Seed >> 32), Epoch: uint32(epoch)})
		if err != nil {
			return err
		}
		return store.Write(params, bytes)
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Crops calls visit with the crops of the pictures of src with the given
// numbers, in order. Pictures that can't be read are left out and returned.
func (k *Cropper) Crops(ctx context.Context, src data.Source, indices []int, workers int, visit func(i int, crops PictureCrops) error) (skipped []error, err error) {
	of := func(t *gpu.Tensor, slot, row int) (crops [][]float32) {
		if t == nil {
			return nil
		}
		for at := row; at < t.Dim(0); at += k.batch {
			crops = append(crops, k.row(t, slot, at))
		}
		return crops
	}
	return k.run(ctx, src, indices, workers, func(i, slot, row int) error {
		return visit(i, PictureCrops{of(k.globals, slot, row), of(k.locals, slot, row)})
	})
}
