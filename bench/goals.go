package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dino-vk/gpu"
)

// Goal is a figure that this program has a goal for: a speed over another one's,
// or what its name says.
type Goal struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

func (g Goal) String() string { return fmt.Sprintf("ratio: %s=%.3f", g.Name, g.Value) }

// CompareKernels times a recipe's operations that PyTorch has, too, and products
// of square matrices, here and there by turns. On GPUs they are timed in
// bfloat16 before. progress is told of each, done of all pairs of a type.
func (c Comparison) CompareKernels(ctx context.Context, dev *gpu.Device, r Recipe, p Peaks, limit time.Duration, e Effort, progress func(Pair), done func([]Pair) error) error {
	script, err := newTorch(ctx, c.Python)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer script.close()
	w, err := script.startWorker(ctx)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer w.close()
	config := kernelBatch(r.Config, p, limit)
	types, cubes := []gpu.Type{gpu.F32}, []operation{cube(1024)}
	if dev.Info().Kind != gpu.CPU {
		types, cubes = []gpu.Type{gpu.BF16, gpu.F32}, append(cubes, cube(4096))
	}
	for _, typ := range types {
		var all []Pair
		for i, o := range slices.Concat(cubes, compared(config)) {
			found, err := w.pairs(ctx, dev, o, typ, e, c.Rounds)
			if err != nil {
				return fmt.Errorf("bench: %s: %w", o.name, err)
			}
			for _, one := range found {
				if i >= len(cubes) {
					one.Recipe, one.Batch = r.Name, config.BatchSize
				}
				all = append(all, one)
				progress(one)
			}
		}
		if err := done(all); err != nil {
			return err
		}
	}
	return nil
}

// PairGoals are the goals that pairs of a recipe on a device decide: on a GPU in
// bfloat16, and with -fp32 in float32.
func PairGoals(kind gpu.Kind, recipe string, pairs []Pair) []Goal {
	var list []Goal
	for _, typ := range []gpu.Type{gpu.BF16, gpu.F32} {
		suffix := ""
		if typ == gpu.F32 && kind != gpu.CPU {
			suffix = "-fp32"
		}
		add := func(name string, in func(p Pair) bool) {
			ours, theirs := 0.0, 0.0
			for _, p := range pairs {
				if p.Type == torchTypes[typ] && in(p) {
					ours += float64(p.Times) * p.Ours
					theirs += float64(p.Times) * p.Best
				}
			}
			if ours > 0 {
				list = append(list, Goal{name + suffix, theirs / ours})
			}
		}
		for _, n := range []int{1024, 4096} {
			shape := cube(n).shape
			add(fmt.Sprintf("gemm-%d", n), func(p Pair) bool { return p.Recipe == "" && p.Shape == shape })
		}
		add("gemm-model", func(p Pair) bool { return p.Recipe == recipe && strings.Contains(p.Operation, ": ") })
		fused := []string{"patch embedding", "qkv", "projection + residual", "fc1 + GELU", "fc2 + residual", "prototypes"}
		add("gemm-"+recipe, func(p Pair) bool { return p.Recipe == recipe && slices.Contains(fused, p.Operation) })
		for _, pass := range []string{"forward", "backward"} {
			first := slices.IndexFunc(pairs, func(p Pair) bool { return p.Recipe == recipe && p.Operation == "attention" })
			if first >= 0 { // the global crops'
				add("attention-"+pass, func(p Pair) bool {
					return p.Recipe == recipe && p.Operation == "attention" && p.Shape == pairs[first].Shape && p.Pass == pass
				})
			}
		}
	}
	return list
}

// MeasureCopies compares what only moves memory with the peak of copying it, on
// tensors beyond the caches: layer norm forward and backward, the softmax of the
// loss's logits, the whole loss with its gradient, and AdamW with the teacher's
// average, of ViT-S/16.
func MeasureCopies(ctx context.Context, dev *gpu.Device, p Peaks, e Effort) ([]Goal, error) {
	c := paper()
	c.BatchSize = 16 // 50 MB of logits, beyond a processor's caches
	if dev.Info().Kind != gpu.CPU {
		c.BatchSize = 64
	}
	return measureCopies(ctx, dev, sizesOf(c), int(min(256<<20, dev.Caps().MaxBinding/2)), p, e)
}

// measureCopies does it with a layer norm of so many bytes.
func measureCopies(ctx context.Context, dev *gpu.Device, s sizes, bytes int, p Peaks, e Effort) ([]Goal, error) {
	var list []Goal
	add := func(name string, rate float64) { // in bytes a second, over the best copy's and the copying shader's
		list = append(list, Goal{name, rate / 1e9 / p.GBs}, Goal{name + "-shader", rate / 1e9 / p.CopyShader})
	}
	for _, one := range []struct {
		name string
		operation
	}{
		{"layernorm-copy", s.layerNorm("layer norm", 1, bytes/4/s.dim)},
		{"loss-copy", s.loss()},
		{"adamw-copy", s.updates()[0]},
	} {
		kernels, err := one.measure(ctx, dev, gpu.F32, e)
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", one.name, err)
		}
		moved, seconds := one.forward.plus(one.backward).bytes, 0.0
		for _, k := range kernels {
			seconds += k.Milliseconds.Median / 1e3
			for _, part := range k.Parts {
				if part.Kernel == "dinoloss_rows" { // reads all logits once
					add("softmax-copy", traffic((s.crops+2*s.BatchSize)*s.OutDim, s.OutDim).bytes/(part.Milliseconds/1e3))
				}
			}
		}
		add(one.name, moved/seconds)
	}
	return list, nil
}

// Goal is the ratio to PyTorch's speed: "step" to its plain form's.
func (p *PyTorch) Goal() Goal {
	if p.Variant == Plain {
		return Goal{"step", p.Ratio()}
	}
	return Goal{"step-" + p.Variant, p.Ratio()}
}

// Speed is the goal of this program's images per second in such steps.
func (p *PyTorch) Speed() Goal { return Goal{"images-per-second", p.Ours} }

// Goals are those that the host's part in a step decides.
func (h Host) Goals() []Goal {
	return []Goal{{"host-ms-per-step", h.Milliseconds.Median}, {"submits-per-step", h.Submits}, {"gpu-idle", h.Idle}}
}

// Goal is the growth's deviation from a line.
func (g Growth) Goal() Goal { return Goal{"growth-" + g.Of, g.Deviation} }
