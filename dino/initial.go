package dino

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"dino-vk/dino/weights"
	"dino-vk/gpu/op"
	"dino-vk/vit"
)

// initial are the weights of --init, from which student and teacher both start.
type initial struct {
	file    *weights.File
	network *weights.Network
	head    bool            // whether the head is taken, too
	center  *weights.Tensor // of that head's outputs, nil where the run's begins at zero
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
		err = n.Check(backbonePrefix, resizable(net.Backbone.Params(), n))
	}
	from, unknown := ConfigOf(f, "teacher", 0)
	if err == nil && unknown == nil && from.ViT().Heads != c.ViT().Heads { // no shape tells
		err = fmt.Errorf("%s: the number of attention heads is %d, the model's is %d", f.Path, from.ViT().Heads, c.ViT().Heads)
	}
	if err != nil {
		hint := ""
		if unknown == nil {
			hint = fmt.Sprintf(": the file's is %s, the run's %s", from.backboneFlags(), c.backboneFlags())
		}
		return nil, errors.Join(fmt.Errorf("--init: another backbone%s: %w", hint, err), f.Close())
	}
	in := &initial{file: f, network: n, head: n.Check(headPrefix, net.Head.Params()) == nil, seed: c.Seed}
	if in.head {
		in.center = f.Center
	}
	return in, nil
}

// load gives a step these weights and the center that the head's outputs had: the
// reference goes on with it too, and from zero the first targets would be others
// than those that the head has learned.
func (in *initial) load(s *Step) error {
	if err := s.begin(in.values); err != nil {
		return err
	}
	if in.center == nil {
		return nil
	}
	values := make([]float32, s.config.OutDim)
	if err := in.center.ReadF32(values); err != nil {
		return fmt.Errorf("--init: %w", err)
	}
	return s.store.WriteF32(s.center, values)
}

// String says what is taken from where.
func (in *initial) String() string {
	switch {
	case in == nil:
		return ""
	case in.center != nil:
		return "the backbone, the head and the center of " + in.file.Path
	case in.head:
		return "the backbone and the head of " + in.file.Path
	}
	return "the backbone of " + in.file.Path + ", and a new head"
}

// backboneFlags are the settings that the backbone's shape follows from.
func (c Config) backboneFlags() string {
	if _, ok := c.ResNet(); ok {
		return fmt.Sprintf("--arch %s --width %d --stem %s", c.Arch, c.Width, c.Stem)
	}
	v := c.ViT()
	return fmt.Sprintf("a ViT with --dim %d --depth %d --heads %d --patch-size %d --image-size %d", v.Dim, v.Depth, v.Heads, v.PatchSize, v.ImageSize)
}

// values are the first values of p: the file's, or for a head that it lacks
// those drawn from the seed.
func (in *initial) values(p op.Param) ([]float32, error) {
	if !in.head && strings.HasPrefix(p.Name, headPrefix) {
		return p.Values(in.seed), nil
	}
	tensor := in.network.Tensor(p.Name)
	values := make([]float32, tensor.Len())
	if err := tensor.ReadF32(values); err != nil {
		return nil, err
	}
	if p.Name == backbonePrefix+posEmbed {
		values = vit.ResizePosEmbed(values, grid(tensor.Shape), grid(p.Shape), p.Shape[2])
	}
	return values, nil
}

// posEmbed is the weight whose shape depends on the size of the images.
const posEmbed = "pos_embed"

// resizable are a backbone's params, with a position embedding for images of any
// size if n has one.
func resizable(params []op.Param, n *weights.Network) []op.Param {
	t := n.Tensor(backbonePrefix + posEmbed)
	i := slices.IndexFunc(params, func(p op.Param) bool { return p.Name == posEmbed })
	if t == nil || i < 0 || grid(t.Shape) == 0 || t.Shape[2] != params[i].Shape[2] {
		return params
	}
	params = slices.Clone(params)
	params[i].Shape = t.Shape
	return params
}

// grid is the side of the square of patches that a position embedding
// (1, 1+side², D) is for, 0 if it is for none.
func grid(shape []int) int {
	if len(shape) != 3 || shape[0] != 1 || shape[1] < 2 {
		return 0
	}
	side := int(math.Sqrt(float64(shape[1] - 1)))
	if side*side != shape[1]-1 {
		return 0
	}
	return side
}

func (in *initial) close() error {
	if in == nil {
		return nil
	}
	return in.file.Close()
}
