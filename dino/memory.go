package dino

import (
	"context"
	"errors"
	"fmt"

	"dino-vk/gpu"
)

// ErrTooLarge says that a run needs more memory than the device has.
var ErrTooLarge = errors.New("the run does not fit the device's memory")

// Memory is the device memory in bytes that the run needs at its peak, known
// before any is taken.
func (t *Trainer) Memory() int64 { return t.need }

// plan finds Memory.
func (t *Trainer) plan() error {
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

// checkMemory refuses a run that needs more than have bytes, and finds the
// batch size that would fit.
func (t *Trainer) checkMemory(ctx context.Context, have int64) error {
	if err := t.plan(); err != nil {
		return err
	}
	if t.need <= have {
		return nil
	}
	low, high := 0, t.config.BatchSize // a batch of low fits, one of high does not
	for high-low > 1 {
		c := t.config
		c.BatchSize = (low + high) / 2
		smaller := Trainer{config: c, dev: t.dev, set: t.set}
		err := smaller.declare(ctx, c)
		if err == nil {
			err = smaller.plan()
		}
		smaller.probe.close()
		if err != nil {
			return err
		}
		if smaller.need <= have {
			low = c.BatchSize
		} else {
			high = c.BatchSize
		}
	}
	remedy := "no batch size fits: use a smaller --arch, --out-dim or --image-size"
	if low > 0 {
		remedy = fmt.Sprintf("--batch-size %d would fit", low)
		if rest := t.config.GlobalBatch() / low; rest > 1 {
			remedy += fmt.Sprintf("; with --accumulate %d a step sees about as many images as now", rest)
		}
	}
	return fmt.Errorf("%w: it needs %s and %s has %s: %s",
		ErrTooLarge, gpu.FormatBytes(t.need), t.dev.Info().Name, gpu.FormatBytes(have), remedy)
}
