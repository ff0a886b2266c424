package bench

import (
	"context"
	"errors"
	"math"
	"testing"

	"dino-vk/dino"
	"dino-vk/gpu/gputest"
)

func TestNoPyTorch(t *testing.T) {
	c := Comparison{Python: []string{"/nonexistent/python", "false"}, Steps: 1, Rounds: 1}
	_, err := c.Compare(context.Background(), gputest.Open(t), tiny(), func(string) {})
	if !errors.Is(err, ErrNoPyTorch) {
		t.Errorf("without PyTorch: %v", err)
	}
}

// TestCompare checks what losses pass for the same: float32 must agree closely,
// bfloat16 within a few of its epsilons.
func TestCompare(t *testing.T) {
	ours := []StepTime{{Loss: 5}, {Loss: 4}, {Loss: 3}}
	for _, c := range []struct {
		variant string
		off     float64 // of the last loss, relative
		same    bool
	}{{Plain, 1e-6, true}, {Plain, 1e-3, false}, {Plain, math.NaN(), false}, {Eager, 1e-2, true}, {Compiled, 0.05, false}} {
		p := PyTorch{Variant: c.variant}
		err := p.compare(ours, []float64{5, 4, 3 * (1 + c.off)}, func(string) {})
		if c.same != (err == nil) || err != nil && !errors.Is(err, ErrLoss) {
			t.Errorf("%s, off by %g: %v", c.variant, c.off, err)
		}
	}
}

// TestPyTorch checks that PyTorch, where there is one, computes the losses that
// the step here does: the second and third depend on every gradient and update.
func TestPyTorch(t *testing.T) {
	ctx := context.Background()
	script, err := newTorch(ctx, []string{"python3", "/usr/bin/python3"})
	if errors.Is(err, ErrNoPyTorch) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer script.close()
	for name, change := range map[string]func(*dino.Config){
		"local crops": func(*dino.Config) {},
		"ResNet of basic blocks, batch norm in the head": func(c *dino.Config) {
			*c = convNet(*c, "resnet18", "cifar")
			c.UseBNInHead = true
		},
		"ResNet of bottlenecks": func(c *dino.Config) { *c = convNet(*c, "resnet50", "imagenet") },
		"two crops, free":       func(c *dino.Config) { c.LocalCropsNumber, c.NormLastLayer, c.HeadLayers = 0, false, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := tiny().WithPrecision(dino.FP32).Config
			change(&c)
			ours, err := NewTraining(gputest.Open(t), c)
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			if err := dino.WriteFile(script.input, ours.write); err != nil {
				t.Fatal(err)
			}
			list, err := ours.Run(ctx, comparedSteps)
			if err != nil {
				t.Fatal(err)
			}
			out, err := script.run(ctx, Plain, threads{1, 1}, comparedSteps)
			if err != nil {
				t.Fatal(err)
			}
			for i, one := range list {
				t.Logf("step %d: %.7g, PyTorch %.7g", i+1, one.Loss, out.Losses[i])
				if !(math.Abs(float64(one.Loss)-out.Losses[i]) <= lossTolerance*out.Losses[i]) {
					t.Errorf("step %d: loss %.7g, PyTorch's is %.7g", i+1, one.Loss, out.Losses[i])
				}
			}
		})
	}
}

// convNet is the training with a narrow ResNet in place of the ViT, on larger
// crops.
func convNet(c dino.Config, arch, stem string) dino.Config {
	d := dino.DefaultConfig()
	c.Arch, c.Stem, c.Width = arch, stem, 4
	c.Dim, c.Depth, c.Heads, c.PatchSize = d.Dim, d.Depth, d.Heads, d.PatchSize
	c.BatchSize, c.ImageSize, c.LocalSize = 6, 48, 24
	return c
}
