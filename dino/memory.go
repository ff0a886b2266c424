package dino

import (
	"errors"
	"fmt"
	"sort"

	"dino-vk/gpu"
)

// ErrTooLarge says that a run needs more memory than the device has.
var ErrTooLarge = errors.New("the run does not fit the device's memory")

// Memory is the device memory in bytes that the run needs at its peak, known
// before any is taken.
func (t *Trainer) Memory() int64 { return t.need }

// fit declares the run. Where it needs more than have bytes, or tensors larger
// than the device takes, it fails and names the batch size that would fit.
func (t *Trainer) fit(have int64) error {
	err := t.require()
	switch {
	case err == nil && t.need <= have:
		return nil
	case err == nil:
		err = fmt.Errorf("it needs %s and %s has %s", gpu.FormatBytes(t.need), t.dev.Info().Name, gpu.FormatBytes(have))
	case !errors.Is(err, gpu.ErrOutOfMemory):
		return err
	}
	remedy := "no batch size fits: use a smaller --arch, --out-dim or --image-size"
	if most := t.mostThatFit(t.config, have); most > 0 {
		remedy = fmt.Sprintf("--batch-size %d would fit", most)
		if rest := t.config.GlobalBatch() / most; rest > 1 {
			remedy += fmt.Sprintf("; with --accumulate %d a step sees about as many images as now", rest)
		}
	}
	if c := t.config; !c.Recompute {
		c.Recompute = true
		if most := t.mostThatFit(c, have); most > 0 {
			remedy += fmt.Sprintf("; with --recompute, which takes longer, --batch-size %d", most)
		}
	}
	return fmt.Errorf("%w: %w: %s", ErrTooLarge, err, remedy)
}

// mostThatFit is the largest batch up to c's own that fits have bytes, 0 if none
// does.
func (t *Trainer) mostThatFit(c Config, have int64) int {
	return sort.Search(c.BatchSize, func(i int) bool {
		smaller := Trainer{config: c, dev: t.dev, set: t.set, measured: t.measured, choices: t.choices}
		smaller.config.BatchSize = i + 1
		err := smaller.require()
		return err != nil || smaller.need > have
	})
}

// require declares the run and finds its Memory.
func (t *Trainer) require() error {
	if err := t.declare(); err != nil {
		return err
	}
	var scratch int64
	for _, g := range append(t.step.Graphs(), t.probe.graphs()...) {
		plan, err := gpu.NewPlan(g)
		if err != nil {
			return err
		}
		scratch = max(scratch, plan.Scratch)
	}
	t.need = t.store.Bytes() + scratch + gpu.StagingBytes + t.probe.memory()
	return nil
}
