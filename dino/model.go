package dino

import (
	"fmt"

	"dino-vk/dino/weights"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Model is a backbone and where its weights come from.
type Model struct {
	Backbone
	Size int // side in pixels of the images that it was made for
	// Values reads a weight, one of Params.
	Values func(p op.Param) ([]float32, error)
}

// OpenModel takes the backbone of a network, "teacher" or "student", from a file
// of weights, which must stay open while the model is used. c is ConfigOf the
// file.
func OpenModel(f *weights.File, network string, c Config) (*Model, error) {
	n, err := f.Network(network)
	if err != nil {
		return nil, err
	}
	net, err := NewNetwork(c)
	if err != nil {
		return nil, err
	}
	if err := n.Check(backbonePrefix, net.Backbone.Params()); err != nil {
		return nil, err
	}
	return &Model{net.Backbone, c.ImageSize, func(p op.Param) ([]float32, error) {
		values := make([]float32, p.Len())
		return values, n.Tensor(backbonePrefix + p.Name).ReadF32(values)
	}}, nil
}

// Untrained is the backbone with which a run of these settings starts.
func Untrained(c Config) (*Model, error) {
	net, err := NewNetwork(c)
	if err != nil {
		return nil, err
	}
	return &Model{net.Backbone, c.ImageSize, func(p op.Param) ([]float32, error) {
		p.Name = backbonePrefix + p.Name
		return p.Values(c.Seed), nil
	}}, nil
}

// RawPixels is the model whose features are the pixels themselves.
func RawPixels(size int) *Model { return &Model{Backbone: pixels(size), Size: size} }

// pixels is the side of the images.
type pixels int

func (pixels) Params() []op.Param { return nil }

func (s pixels) Features() int { return 3 * int(s) * int(s) }

func (s pixels) Forward(_ *op.Tape, _ op.Weights, _ op.Mode, images ...*gpu.Tensor) *gpu.Tensor {
	return images[0].Reshape(images[0].Dim(0), s.Features())
}

// weights declares the model's weights in store; upload fills them once the
// store is allocated.
func (m *Model) weights(store *gpu.Store) (w op.Weights, upload func() error) {
	params := m.Params()
	tensors := map[string]*gpu.Tensor{}
	for _, p := range params {
		tensors[p.Name] = store.New(p.Name, gpu.F32, p.Shape...)
	}
	return func(name string) *gpu.Tensor { return tensors[name] }, func() error {
		for _, p := range params {
			values, err := m.Values(p)
			if err != nil {
				return err
			}
			if err := store.WriteF32(tensors[p.Name], values); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		return nil
	}
}
