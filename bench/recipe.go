package bench

import (
	"fmt"
	"slices"
	"strings"

	"dino-vk/dino"
)

// Recipe is a training whose sizes are measured.
type Recipe struct {
	Name   string
	Config dino.Config
}

// Recipes are a network so small that a CPU trains it, the paper's ViT-S/16
// with its ten crops and K = 65,536, and a ResNet-50 with the same.
func Recipes() []Recipe {
	return []Recipe{{"small", small()}, {"vit-s16", paper()}, {"resnet50", resNet50()}}
}

// FindRecipe returns the recipe of that name.
func FindRecipe(name string) (Recipe, error) {
	list := Recipes()
	if i := slices.IndexFunc(list, func(r Recipe) bool { return r.Name == name }); i >= 0 {
		return list[i], nil
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Name)
	}
	return Recipe{}, fmt.Errorf("bench: no recipe %q: there are %s", name, strings.Join(names, ", "))
}

// WithBatch is the recipe with steps of another batch.
func (r Recipe) WithBatch(images int) Recipe {
	r.Config.BatchSize = images
	r.Config = constant(r.Config)
	return r
}

// WithPrecision is the recipe in one of dino.Precisions.
func (r Recipe) WithPrecision(precision string) Recipe {
	r.Config.Precision = precision
	return r
}

func small() dino.Config {
	c := dino.DefaultConfig()
	c.ImageSize, c.LocalSize, c.LocalCropsNumber, c.PatchSize = 32, 16, 4, 4
	c.Dim, c.Depth, c.Heads = 96, 4, 3
	c.HeadHiddenDim, c.HeadBottleneckDim, c.OutDim = 512, 64, 1024
	c.BatchSize = 64
	return constant(c)
}

func paper() dino.Config {
	c := dino.DefaultConfig()
	c.BatchSize = 2
	return constant(c)
}

func resNet50() dino.Config {
	c := paper()
	c.Arch = "resnet50"
	return constant(c)
}

// constant stops everything that would change from step to step, so that a
// step anywhere else needs nothing but numbers to do the same: no schedule
// moves, nothing is frozen, nothing is dropped.
func constant(c dino.Config) dino.Config {
	c.DropPathRate = 0
	c.Epochs, c.WarmupEpochs, c.FreezeLastLayer = 1, 0, 0
	c.MinLR, c.WeightDecayEnd = c.PeakLR(), c.WeightDecay
	return c
}

// longEpoch is the steps of an epoch so long that the teacher's momentum, too,
// stands still for as many steps as anybody measures.
const longEpoch = 1 << 30
