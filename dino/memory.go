package dino

import (
	"errors"
	"fmt"

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
	low, high := 0, t.config.BatchSize // a batch of low fits, one of high does not
	for high-low > 1 {
		smaller := Trainer{config: t.config, dev: t.dev, set: t.set, measured: t.measured}
		smaller.config.BatchSize = (low + high) / 2
		tooLarge := smaller.require()
		if tooLarge == nil && smaller.need <= have {
			low = smaller.config.BatchSize
		} else {
			high = smaller.config.BatchSize
		}
	}
	remedy := "no batch size fits: use a smaller --arch, --out-dim or --image-size"
	if low > 0 {
		remedy = fmt.Sprintf("--batch-size %d would fit", low)
		if rest := t.config.GlobalBatch() / low; rest > 1 {
			remedy += fmt.Sprintf("; with --accumulate %d a step sees about as many images as now", rest)
		}
	}
	return fmt.Errorf("%w: %w: %s", ErrTooLarge, err, remedy)
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
