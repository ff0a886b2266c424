package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino"
	"dino-vk/gpu/gputest"
)

func TestNoPyTorch(t *testing.T) {
	c := Comparison{Python: []string{"/nonexistent/python", "false"}, Steps: 1, Rounds: 1}
	err := c.Compare(context.Background(), gputest.Open(t), tiny(), func(string) {}, nil)
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

// TestVariantsOfPyTorch compares with each on a GPU, here a pretended one, and
// leaves out those that fail.
func TestVariantsOfPyTorch(t *testing.T) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import numpy, torch").Run() != nil {
			continue
		}
		pretends := filepath.Join(t.TempDir(), "python")
		script := fmt.Sprintf(`#!/bin/sh
case "$*" in *compiled*) echo no compiler >&2; exit 1 ;; *eager*) set -- "$@" --variant plain ;; esac
out=$(%s "$@") || exit
echo "$out" | sed 's/"device": "[^"]*"/"device": "a GPU"/'
`, python)
		if err := os.WriteFile(pretends, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		var got, told []string
		c := Comparison{Python: []string{pretends}, Steps: 2, Rounds: 1}
		err := c.Compare(context.Background(), gputest.Open(t), tiny().WithPrecision(dino.FP32), func(line string) { told = append(told, line) }, func(p PyTorch) error {
			got = append(got, p.Variant)
			if p.Threads != "a GPU" || !(p.Ratio() > 0) {
				t.Errorf("%+v", p)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, []string{Plain, Eager}) {
			t.Errorf("%v: compared %v", err, got)
		}
		if last := told[len(told)-1]; !strings.HasPrefix(last, "left out: PyTorch, compiled: ") || !strings.Contains(last, "no compiler") {
			t.Errorf("told %q", told)
		}
		return
	}
	t.Skip(ErrNoPyTorch)
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
