package dino

import (
	"errors"
	"testing"
)

// Every recipe makes sense for data of any size, and says what it is.
func TestRecipes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Recipes {
		if seen[r.Name] || r.About == "" || r.Source == "" {
			t.Errorf("recipe %q: twice, or without a text", r.Name)
		}
		seen[r.Name] = true
		for _, n := range []int{0, 1, 63, 1000, 50_000, 1_281_167, 100_000_000} {
			c, err := r.Configure(n, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("%s for %d images: %v", r.Name, n, err)
			}
			if len(Diff(DefaultConfig(), c)) == 0 {
				t.Errorf("%s for %d images is the default", r.Name, n)
			}
		}
	}
	if _, ok := RecipeNamed("vit-s16"); ok {
		t.Error("a recipe that is not there")
	}
	if c, err := (Recipe{}).Configure(5, nil); err != nil || c != DefaultConfig() {
		t.Errorf("no recipe: %v, %v", Diff(DefaultConfig(), c), err)
	}
}

// The published recipes' images per step are the reference's GPUs times their
// batches, and so are the learning rates.
func TestPublishedBatches(t *testing.T) {
	for name, want := range map[string]struct {
		images, epochs int
		rate           float64
	}{
		"vit-s16-vanilla": {512, 100, 0.001},
		"vit-s16-boosted": {1024, 300, 0.002},
		"resnet50":        {512, 100, 0.06},
		"vit-s8":          {1024, 800, 0.002},
		"vit-b16":         {1024, 400, 0.003},
		"vit-b8":          {1056, 300, 0.0020625},
	} {
		r, _ := RecipeNamed(name)
		c, err := r.Configure(1_281_167, nil)
		if err != nil || c.GlobalBatch() != want.images || c.Epochs != want.epochs || c.PeakLR() != want.rate {
			t.Errorf("%s: %d images, %d epochs, rate %g, error %v; want %+v", name, c.GlobalBatch(), c.Epochs, c.PeakLR(), err, want)
		}
	}
}

// The values for other sizes are those that LightlyTrain's own formulas give
// under Python.
func TestScaleToData(t *testing.T) {
	auto, _ := RecipeNamed("auto")
	for _, want := range []struct {
		images, k                int
		temp, warmTemp, momentum float64
	}{
		{0, 1024, 0.02, 0.02, 0.99},
		{19999, 1024, 0.02, 0.02, 0.99},
		{20000, 2048, 0.02, 0.02, 0.99},
		{49999, 2048, 0.02, 0.02, 0.99},
		{50000, 4096, 0.02, 0.02, 0.99},
		{99999, 4096, 0.02, 0.02, 0.99},
		{100000, 16384, 0.02, 0.02, 0.99},
		{199999, 16384, 0.03, 0.02, 0.991},
		{200000, 32768, 0.03, 0.02, 0.991},
		{333333, 32768, 0.04, 0.03, 0.992},
		{499999, 32768, 0.04, 0.03, 0.993},
		{500000, 65536, 0.04, 0.03, 0.993},
		{700000, 65536, 0.05, 0.03, 0.994},
		{999999, 65536, 0.07, 0.04, 0.996},
		{1281167, 65536, 0.07, 0.04, 0.996},
		{14000000, 65536, 0.07, 0.04, 0.996},
	} {
		c, err := auto.Configure(want.images, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.OutDim != want.k || c.TeacherTemp != want.temp || c.WarmupTeacherTemp != want.warmTemp || c.MomentumTeacher != want.momentum {
			t.Errorf("%+v, got %d, %g, %g, %g", want, c.OutDim, c.TeacherTemp, c.WarmupTeacherTemp, c.MomentumTeacher)
		}
	}
}

// Warm-ups are as many epochs as the given batch and epochs make of their steps.
func TestScaledWarmups(t *testing.T) {
	auto, _ := RecipeNamed("auto")
	for _, c := range []struct{ images, batch, accumulate, epochs, temp, rate, freeze int }{
		{1_280_000, 64, 16, 300, 30, 10, 1}, // 1250 steps an epoch, as the paper's
		{1_280_000, 64, 1, 100, 2, 1, 1},    // 20,000 steps
		{20_480, 64, 1, 300, 90, 30, 4},     // 320 steps: 118 and 40 epochs are too many
		{10, 64, 1, 100, 30, 10, 10},
		{1000, 64, 1, 2, 0, 1, 0},
		{1000, 64, 1, 1, 0, 0, 0},
	} {
		got, err := auto.Configure(c.images, func(x *Config) error {
			x.BatchSize, x.Accumulate, x.Epochs = c.batch, c.accumulate, c.epochs
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.WarmupTeacherTempEpochs != c.temp || got.WarmupEpochs != c.rate || got.FreezeLastLayer != c.freeze {
			t.Errorf("%+v, got %d, %d, %d", c, got.WarmupTeacherTempEpochs, got.WarmupEpochs, got.FreezeLastLayer)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What the user sets wins over the recipe, also with the default's value.
func TestRecipeOverridden(t *testing.T) {
	for _, r := range Recipes {
		want, _ := r.Configure(1000, nil)
		want.OutDim, want.PatchSize, want.WarmupEpochs = 65536, 16, 10
		want.ImageSize, want.LocalSize = 224, 96
		got, err := r.Configure(1000, func(c *Config) error {
			c.OutDim, c.PatchSize, c.WarmupEpochs = 65536, 16, 10
			c.ImageSize, c.LocalSize = 224, 96
			return nil
		})
		if err != nil || got != want {
			t.Errorf("%s: %v, error %v", r.Name, Diff(want, got), err)
		}
		wrong := errors.New("wrong")
		if _, err := r.Configure(1000, func(*Config) error { return wrong }); !errors.Is(err, wrong) {
			t.Errorf("%s: error %v", r.Name, err)
		}
	}
}
