package dino

import (
	"fmt"
	"slices"
)

// Recipe is a named set of settings. Those that the user gives win over it.
type Recipe struct {
	Name     string
	About    string // what it is, in a line
	Source   string // where its numbers are from
	Settings string // YAML as in a file of --config; what it does not name keeps its default

	// scale sets in c what follows from the number of images and the settings given.
	scale func(c *Config, given Config, images int)
}

// Recipes lists all recipes. The batch of a published one is its images per
// GPU, and every GPU that it took is a batch of the step here.
var Recipes = []Recipe{
	{
		Name: "auto", About: "for data of any size: K, temperatures, teacher momentum and warm-ups follow from the number of images",
		Source: "the rules of LightlyTrain's DINO, in whole epochs",
		scale:  scaleToData,
	},
	{
		Name: "cifar", About: "a small ViT for some 10,000 pictures such as CIFAR's: twenty minutes on two CPU cores",
		Source: "searches of this project (docs/learning.md)",
		Settings: `
patch-size: 4
dim: 64
depth: 2
heads: 4
drop-path-rate: 0
init-std: 0.1
out-dim: 1024
head-hidden-dim: 256
head-bottleneck-dim: 64
momentum-teacher: 0.99
warmup-teacher-temp: 0.02
teacher-temp: 0.02
image-size: 32
global-crops-scale: [0.2, 1]
local-crops-number: 0
blur: 0
batch-size: 32
epochs: 20
warmup-epochs: 1
freeze-last-layer: 0
lr: 0.003
weight-decay-end: 0.04
`,
	},
	{
		Name: "vit-s16-vanilla", About: "ViT-S/16 on ImageNet in 100 epochs: 69.3 % by k-NN, 74.0 % linear",
		Source:   "the reference's README, on 8 GPUs",
		Settings: "accumulate: 8",
	},
	{
		Name: "vit-s16-boosted", About: "ViT-S/16 on ImageNet in 300 epochs: 73.3 % by k-NN, 76.0 % linear",
		Source: "the reference's README, on 16 GPUs",
		Settings: `
accumulate: 16
epochs: 300
teacher-temp: 0.07
warmup-teacher-temp-epochs: 30
norm-last-layer: false
`,
	},
	{
		Name: "vit-s8", About: "ViT-S/8 on ImageNet in 800 epochs: 78.3 % by k-NN, 79.7 % linear",
		Source: "the paper (section 3.2), its author (github.com/facebookresearch/dino/issues/104) on 64 GPUs, and the epochs and crops of the released ViT-S/16; " +
			"the model's own list of arguments was not at hand",
		Settings: `
patch-size: 8
batch-size: 16
accumulate: 64
epochs: 800
teacher-temp: 0.07
warmup-teacher-temp-epochs: 30
norm-last-layer: false
global-crops-scale: [0.25, 1]
local-crops-number: 10
local-crops-scale: [0.05, 0.25]
`,
	},
	{
		Name: "vit-b16", About: "ViT-B/16 on ImageNet in 400 epochs: 76.1 % by k-NN, 78.2 % linear",
		Source: "the arguments of the released model (dino_vitbase16_pretrain/args.txt), on 32 GPUs",
		Settings: `
arch: vit_base
batch-size: 32
accumulate: 32
epochs: 400
lr: 0.00075
min-lr: 2e-06
clip-grad: 0.3
freeze-last-layer: 3
teacher-temp: 0.07
warmup-teacher-temp-epochs: 50
global-crops-scale: [0.25, 1]
local-crops-number: 10
local-crops-scale: [0.05, 0.25]
`,
	},
	{
		Name: "vit-b8", About: "ViT-B/8 on ImageNet in 300 epochs: 77.4 % by k-NN, 80.1 % linear",
		Source: "the arguments of the released model (dino_vitbase8_pretrain/args.txt), on 176 GPUs",
		Settings: `
arch: vit_base
patch-size: 8
batch-size: 6
accumulate: 176
epochs: 300
min-lr: 2e-06
freeze-last-layer: 3
warmup-teacher-temp: 0.03
teacher-temp: 0.07
warmup-teacher-temp-epochs: 50
global-crops-scale: [0.25, 1]
local-crops-number: 10
local-crops-scale: [0.05, 0.25]
`,
	},
	{
		Name: "resnet50", About: "ResNet-50 on ImageNet in 100 epochs",
		Source: "the reference's README, on 8 GPUs (which had batch norm over all of them, here it is over each batch of a step)",
		Settings: `
arch: resnet50
accumulate: 8
optimizer: sgd
lr: 0.03
weight-decay: 0.0001
weight-decay-end: 0.0001
global-crops-scale: [0.14, 1]
local-crops-scale: [0.05, 0.14]
`,
	},
}

// RecipeNamed returns the recipe of that name.
func RecipeNamed(name string) (Recipe, bool) {
	i := slices.IndexFunc(Recipes, func(r Recipe) bool { return r.Name == name })
	if i < 0 {
		return Recipe{}, false
	}
	return Recipes[i], true
}

// Scales reports whether settings depend on the number of images.
func (r Recipe) Scales() bool { return r.scale != nil }

// Configure returns the settings for a set of so many images: the defaults, over
// them the recipe's, and over these what override sets, nil for nothing. What
// the recipe takes from the number of images may depend on the other settings,
// so override may run twice. The zero Recipe sets nothing.
func (r Recipe) Configure(images int, override func(*Config) error) (Config, error) {
	if override == nil {
		override = func(*Config) error { return nil }
	}
	c := DefaultConfig()
	if err := c.MergeYAML([]byte(r.Settings)); err != nil {
		return c, fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	own := c
	if err := override(&c); err != nil || r.scale == nil {
		return c, err
	}
	r.scale(&own, c, images)
	return own, override(&own)
}
