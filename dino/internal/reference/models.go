package reference

import (
	"testing"

	"dino-vk/resnet"
	"dino-vk/vit"
)

// ViTs are the models of the family vit_forward by name.
func ViTs(t testing.TB, family *Family) map[string]vit.Config {
	t.Helper()
	var config []struct {
		Name                          string
		Img, Patch, Dim, Depth, Heads int
	}
	family.Decode(t, "config", &config)
	cases := map[string]vit.Config{}
	for _, c := range config {
		cases[c.Name] = vit.Config{ImageSize: c.Img, PatchSize: c.Patch, Dim: c.Dim, Depth: c.Depth, Heads: c.Heads}
	}
	return cases
}

// ResNets are the models of the family resnet by name.
func ResNets(t testing.TB, family *Family) map[string]resnet.Config {
	t.Helper()
	var config []struct {
		Name, Block string
		Layers      []int
		Width       int
	}
	family.Decode(t, "config", &config)
	cases := map[string]resnet.Config{}
	for _, c := range config {
		bottleneck, known := map[string]bool{"BasicBlock": false, "Bottleneck": true}[c.Block]
		if !known {
			t.Fatalf("%s: unknown block %q", c.Name, c.Block)
		}
		cases[c.Name] = resnet.Config{Bottleneck: bottleneck, Layers: c.Layers, Width: c.Width, Stem: resnet.ImageNet}
	}
	return cases
}
