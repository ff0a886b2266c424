package bench

import (
	"context"
	"slices"
	"strings"
	"time"

	"dino-vk/gpu"
)

// Variant is an operation in one direction done by certain variants of its
// kernels.
type Variant struct {
	Kernel
	Variants []string `json:"variants"` // modules with their constants
	Picked   bool     `json:"picked"`   // training on this device takes them
}

// passes are the tasks of an operation by pass: the kernels of which more than
// one variant fits.
type passes map[string][]gpu.Task

func (o operation) passes(dev *gpu.Device, typ gpu.Type) (passes, error) {
	faulty := map[string]bool{}
	for _, f := range dev.Faults() {
		faulty[f.Variant] = true
	}
	list := passes{}
	known := map[string]bool{}
	for _, pass := range []string{"forward", "backward"} {
		tasks, err := gpu.Tasks(dev.Caps(), o.recording(typ, pass == "forward"))
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			t.Variants = slices.DeleteFunc(t.Variants, func(v string) bool { return faulty[v] })
			if !known[t.Problem] && len(t.Variants) > 1 {
				known[t.Problem] = true
				list[pass] = append(list[pass], t)
			}
		}
	}
	return list, nil
}

// most is the number of variants of the kernel that has the most.
func (p passes) most(pass string) (n int) {
	for _, t := range p[pass] {
		n = max(n, len(t.Variants))
	}
	return n
}

// take chooses variant number i of every task, or its last.
func (p passes) take(i int) *gpu.Choices {
	c := &gpu.Choices{Fastest: map[string]string{}}
	for _, tasks := range p {
		for _, t := range tasks {
			c.Fastest[t.Problem] = t.Variants[min(i, len(t.Variants)-1)]
		}
	}
	return c
}

// MeasureVariants times every operation of a recipe with each variant of its
// kernels that fits, at a batch as MeasureKernels has it. done, if not nil, is
// told of each.
func MeasureVariants(ctx context.Context, dev *gpu.Device, r Recipe, p Peaks, limit time.Duration, e Effort, done func(Variant)) ([]Variant, error) {
	measure := func(o operation, typ gpu.Type) ([]Variant, error) { return o.variants(ctx, dev, typ, e) }
	return eachOperation(dev, r, kernelBatch(r.Config, p, limit), measure, func(v *Variant) *Kernel { return &v.Kernel }, done)
}

func (o operation) variants(ctx context.Context, dev *gpu.Device, typ gpu.Type, e Effort) ([]Variant, error) {
	if err := o.tune(ctx, dev, typ); err != nil {
		return nil, err
	}
	tasks, err := o.passes(dev, typ)
	if err != nil {
		return nil, err
	}
	usual, err := o.recording(typ, false)(dev.Caps())
	if err != nil {
		return nil, err
	}
	chosen := gpu.Chosen(usual...)
	var all []Variant
	for i := range max(tasks.most("forward"), tasks.most("backward")) {
		caps := dev.Caps()
		caps.Choices = tasks.take(i)
		kernels, err := o.measureAs(ctx, dev, caps, typ, e)
		if err != nil {
			return nil, err
		}
		for _, k := range kernels {
			if i >= tasks.most(k.Pass) {
				continue
			}
			v := Variant{Kernel: k, Picked: true}
			for _, t := range tasks[k.Pass] {
				name := caps.Choices.Fastest[t.Problem]
				usual, asked := chosen[t.Problem] // the usual variants of other kernels may leave nothing to do
				v.Picked = v.Picked && (!asked || usual == name)
				if !slices.Contains(v.Variants, name) {
					v.Variants = append(v.Variants, name)
				}
			}
			all = append(all, v)
		}
	}
	return all, nil
}

// Line says it in columns.
func (v Variant) Line(p *Peaks) string {
	mark := " "
	if v.Picked {
		mark = "*"
	}
	return v.Kernel.Line(p) + " " + mark + " " + strings.Join(v.Variants, ", ")
}
