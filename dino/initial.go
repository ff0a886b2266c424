package dino

import (
	"errors"
	"fmt"
	"strings"

	"dino-vk/dino/weights"
	"dino-vk/gpu/op"
)

// initial are the weights of --init, from which student and teacher both start.
type initial struct {
	file    *weights.File
	network *weights.Network
	head    bool // whether the head is taken, too
	seed    uint64
}

// openInitial opens the file of --init, nil where there is none. Of one with
// two networks it takes the teacher. Its backbone must be the run's; a head of
// other shapes is left.
func openInitial(c Config, net Network) (*initial, error) {
	if c.Init == "" {
		return nil, nil
	}
	f, err := weights.Open(c.Init)
	if err != nil {
		return nil, fmt.Errorf("--init: %w", err)
	}
	n, err := f.Network("teacher")
	if err == nil {
		err = n.Check(backbonePrefix, net.Backbone.Params())
	}
	from, unknown := ConfigOf(f, "teacher", 0)
	if err == nil && unknown == nil && from.heads() != c.heads() { // no shape tells
		err = fmt.Errorf("%s: the number of attention heads is %d, the model's is %d", f.Path, from.heads(), c.heads())
	}
	if err != nil {
		hint := ""
		if unknown == nil {
			hint = fmt.Sprintf(": the file's is %s, the run's %s", from.backboneFlags(), c.backboneFlags())
		}
		return nil, errors.Join(fmt.Errorf("--init: another backbone%s: %w", hint, err), f.Close())
	}
	return &initial{f, n, n.Check(headPrefix, net.Head.Params()) == nil, c.Seed}, nil
}

func (c Config) heads() int {
	_, _, heads := c.Backbone()
	return heads
}

// backboneFlags are the settings that the backbone's shape follows from.
func (c Config) backboneFlags() string {
	if _, ok := c.ResNet(); ok {
		return fmt.Sprintf("--arch %s --width %d --stem %s", c.Arch, c.Width, c.Stem)
	}
	dim, depth, heads := c.Backbone()
	return fmt.Sprintf("a ViT with --dim %d --depth %d --heads %d --patch-size %d --image-size %d", dim, depth, heads, c.PatchSize, c.ImageSize)
}

// values are the first values of p: the file's, or for a head that it lacks
// those drawn from the seed.
func (in *initial) values(p op.Param) ([]float32, error) {
	if !in.head && strings.HasPrefix(p.Name, headPrefix) {
		return p.Values(in.seed), nil
	}
	values := make([]float32, p.Len())
	return values, in.network.Tensor(p.Name).ReadF32(values)
}

func (in *initial) close() error {
	if in == nil {
		return nil
	}
	return in.file.Close()
}
