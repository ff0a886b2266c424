package dino

import (
	"cmp"
	"fmt"
	"slices"

	"dino-vk/resnet"
	"dino-vk/vit"
)

// Arch is a named size of Vision Transformer.
type Arch struct {
	Name              string
	Dim, Depth, Heads int
}

// Archs lists the sizes of the reference (vision_transformer.py).
var Archs = []Arch{
	{"vit_tiny", 192, 12, 3},
	{"vit_small", 384, 12, 6},
	{"vit_base", 768, 12, 12},
}

// ArchNames lists what Config.Arch may be.
func ArchNames() []string {
	var names []string
	for _, a := range Archs {
		names = append(names, a.Name)
	}
	for _, a := range resnet.Archs {
		names = append(names, a.Name)
	}
	return names
}

// newBackbone builds the backbone that the settings name.
func newBackbone(c Config) (Backbone, error) {
	if r, ok := c.ResNet(); ok {
		return r, r.Validate()
	}
	if !slices.Contains(ArchNames(), c.Arch) {
		return nil, fmt.Errorf("no backbone %q", c.Arch)
	}
	v := c.ViT()
	return v, v.Validate()
}

// ResNet is the shape of the backbone, if Arch names a ResNet.
func (c Config) ResNet() (r resnet.Config, ok bool) {
	i := slices.IndexFunc(resnet.Archs, func(a resnet.Arch) bool { return a.Name == c.Arch })
	if i < 0 {
		return r, false
	}
	a := resnet.Archs[i]
	return resnet.Config{Bottleneck: a.Bottleneck, Layers: a.Layers, Width: c.Width, Stem: resnet.Stem(c.Stem)}, true
}

// ViT is the shape of the backbone where Arch names a Vision Transformer: width,
// depth and heads are those of Arch unless Dim, Depth or Heads say otherwise.
func (c Config) ViT() vit.Config {
	var a Arch
	if i := slices.IndexFunc(Archs, func(a Arch) bool { return a.Name == c.Arch }); i >= 0 {
		a = Archs[i]
	}
	return vit.Config{
		ImageSize: c.ImageSize, PatchSize: c.PatchSize, InitStd: c.InitStd, DropPath: c.DropPathRate,
		Dim: cmp.Or(c.Dim, a.Dim), Depth: cmp.Or(c.Depth, a.Depth), Heads: cmp.Or(c.Heads, a.Heads),
	}
}
