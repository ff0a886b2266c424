package weights

import (
	"cmp"
	"fmt"
	"math"
)

// Architecture is what a network's tensors say of the model that they are of.
type Architecture struct {
	// A Vision Transformer: the side of the images and patches in pixels, the
	// width, the blocks. Heads is 0 where nothing says how many there are: neither
	// config.json nor, in a network as wide as the published ones, their rule of
	// 64 features a head.
	ImageSize, PatchSize, Dim, Depth, Heads int
	// A ResNet: blocks of each stage, nil for a transformer, whether they are
	// bottlenecks, the channels of the stem and the side of its kernel.
	Blocks          []int
	Bottleneck      bool
	Width, StemSize int

	// The head, all 0 without one.
	HeadLayers, HeadHidden, HeadBottleneck, OutDim int
	HeadBatchNorm                                  bool
}

// headWidth is the width of an attention head in every published ViT, the
// narrowest of which is leastDim wide.
const (
	headWidth = 64
	leastDim  = 192
)

// Architecture infers the model from the tensors' shapes. Network.Check then
// tells what does not fit.
func (f *File) Architecture(network string) (Architecture, error) {
	n, err := f.Network(network)
	if err != nil {
		return Architecture{}, err
	}
	var a Architecture
	switch {
	case n.byName[BackbonePrefix+"patch_embed.proj.weight"] != nil:
		err = a.inferViT(n)
	case n.byName[BackbonePrefix+"layer1.0.conv1.weight"] != nil:
		err = a.inferResNet(n)
	default:
		err = fmt.Errorf("neither a Vision Transformer nor a ResNet, with tensors such as %q", n.Tensors[0].Source())
	}
	if err == nil && n.HasHead() {
		err = a.inferHead(n)
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", f.Path, err)
	}
	if f.Config != nil {
		a.Heads = cmp.Or(f.Config.Heads, f.Config.TIMM.Heads, a.Heads)
	}
	return a, nil
}

// dims returns the shape of a tensor that must have so many dimensions.
func (n *Network) dims(name string, count int) ([]int, error) {
	t := n.byName[name]
	if t == nil {
		return nil, fmt.Errorf("tensor %q is missing", name)
	}
	if len(t.Shape) != count {
		return nil, fmt.Errorf("tensor %q is %v, not of %d dimensions", name, t.Shape, count)
	}
	return t.Shape, nil
}

// layers counts name.0, name.1, … that have the given leaf.
func (n *Network) layers(name, leaf string) int {
	for i := 0; ; i++ {
		if n.byName[fmt.Sprintf("%s.%d.%s", name, i, leaf)] == nil {
			return i
		}
	}
}

func (a *Architecture) inferViT(n *Network) error {
	patch, err := n.dims(BackbonePrefix+"patch_embed.proj.weight", 4)
	if err != nil {
		return err
	}
	pos, err := n.dims(BackbonePrefix+"pos_embed", 3)
	if err != nil {
		return err
	}
	if patch[1] != 3 || patch[2] != patch[3] {
		return fmt.Errorf("tensor %q is %v, the model needs %v", "patch_embed.proj.weight", patch, []int{patch[0], 3, patch[2], patch[2]})
	}
	side := int(math.Round(math.Sqrt(float64(pos[1] - 1))))
	if pos[0] != 1 || side < 1 || side*side != pos[1]-1 || pos[2] != patch[0] {
		return fmt.Errorf("tensor %q is %v, the model needs [1 1+n² %d]: a class token and a square of patches", "pos_embed", pos, patch[0])
	}
	a.PatchSize, a.Dim, a.ImageSize = patch[2], patch[0], side*patch[2]
	a.Depth = n.layers(BackbonePrefix+"blocks", "norm1.weight")
	if a.Dim%headWidth == 0 && a.Dim >= leastDim {
		a.Heads = a.Dim / headWidth
	}
	return nil
}

func (a *Architecture) inferResNet(n *Network) error {
	stem, err := n.dims(BackbonePrefix+"conv1.weight", 4)
	if err != nil {
		return err
	}
	a.Width, a.StemSize = stem[0], stem[2]
	for stage := 1; ; stage++ {
		blocks := n.layers(fmt.Sprintf("%slayer%d", BackbonePrefix, stage), "conv1.weight")
		if blocks == 0 {
			break
		}
		a.Blocks = append(a.Blocks, blocks)
	}
	a.Bottleneck = n.byName[BackbonePrefix+"layer1.0.conv3.weight"] != nil
	return nil
}

func (a *Architecture) inferHead(n *Network) error {
	last, err := n.dims(lastLayer+"weight_v", 2)
	if err != nil {
		return err
	}
	a.OutDim, a.HeadBottleneck = last[0], last[1]
	if n.byName[HeadPrefix+"mlp.weight"] != nil {
		a.HeadLayers = 1
		return nil
	}
	hidden, err := n.dims(HeadPrefix+"mlp.0.weight", 2)
	if err != nil {
		return err
	}
	a.HeadHidden = hidden[0]
	// Between two linear layers stand GELU and, with batch norm, that too.
	a.HeadBatchNorm = n.byName[HeadPrefix+"mlp.1.running_mean"] != nil
	step := 2
	if a.HeadBatchNorm {
		step = 3
	}
	for n.byName[fmt.Sprintf("%smlp.%d.weight", HeadPrefix, step*a.HeadLayers)] != nil {
		a.HeadLayers++
	}
	return nil
}
