package dino

import (
	"context"
	"fmt"
	"testing"

	"dino-vk/gpu/gputest"
)

// TestRecompute compares runs that keep all of a block with runs that compute
// it again: every report, log line and checkpoint must be the same to the bit,
// stochastic depth, batch norm's running statistics and micro-batches included,
// and a run that changes its mind on the way too.
func TestRecompute(t *testing.T) {
	for name, set := range map[string]func(c *Config){
		"vit":        func(c *Config) { c.Depth, c.DropPathRate = 3, 0.3 },
		"accumulate": func(c *Config) { c.BatchSize, c.Accumulate, c.DropPathRate = 1, 3, 0.3 },
		"fp16":       func(c *Config) { c.Precision, c.DropPathRate, c.InitStd = FP16, 0.3, 0.3 },
		"bf16":       func(c *Config) { c.Precision, c.DropPathRate = BF16, 0.3 },
		"resnet":     func(c *Config) { convNet(c); c.BatchSize, c.Accumulate = 2, 2 },
		"bottleneck": func(c *Config) { convNet(c); c.Arch = "resnet50" },
	} {
		t.Run(name, func(t *testing.T) {
			kept := runSettings(t)
			set(&kept)
			kept.FreezeLastLayer, kept.MaxSteps = 0, 3
			want := run(t, kept)

			again := kept
			again.Output, again.Recompute = t.TempDir(), true
			got := run(t, again)
			for i, w := range want.steps {
				if g := got.steps[i]; fmt.Sprint(g.Metrics) != fmt.Sprint(w.Metrics) { // NaN equals NaN
					t.Errorf("step %d: %+v, want %+v", i+1, g.Metrics, w.Metrics)
				}
			}
			sameRun(t, kept.Output, again.Output)

			kept.MaxSteps, again.MaxSteps = 6, 6
			run(t, kept)
			run(t, again)
			kept.MaxSteps, again.MaxSteps, again.Recompute = 0, 0, false
			if steps := run(t, kept).steps; steps[len(steps)-1].Skipped > 6 {
				t.Errorf("%+v: too many steps were skipped", steps[len(steps)-1])
			}
			run(t, again)
			sameRun(t, kept.Output, again.Output)
		})
	}
}

// TestRecomputeMemory finds what a deep network saves: of each block but one at
// least the hidden layer of the MLP and its slope.
func TestRecomputeMemory(t *testing.T) {
	dev := gputest.Open(t)
	c := runSettings(t)
	c.Depth, c.BatchSize, c.ImageSize, c.LocalCropsNumber = 12, 64, 64, 0
	need := func(recompute bool) int64 {
		tr := &Trainer{config: c, dev: dev, set: pictureSet(camera{n: 100})}
		tr.config.Recompute = recompute
		var err error
		if tr.measured, err = openProbeSets(context.Background(), c, tr.set); err != nil {
			t.Fatal(err)
		}
		if err := tr.require(); err != nil {
			t.Fatal(err)
		}
		return tr.need
	}
	kept, again := need(false), need(true)
	tokens := int64(2 * c.BatchSize * (1 + 8*8))
	least := int64(c.Depth-1) * tokens * int64(2*4*c.Dim) * 4
	t.Logf("%d bytes with all kept, %d without", kept, again)
	if kept-again < least {
		t.Errorf("%d bytes saved, at least %d expected", kept-again, least)
	}
}
