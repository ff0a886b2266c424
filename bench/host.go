package bench

import (
	"context"
	"fmt"

	"dino-vk/gpu"
)

// Host is what a training step costs the host, and how long the device waits
// for it.
type Host struct {
	Recipe       string  `json:"recipe"`
	Batch        int     `json:"batch"`
	Count        int     `json:"steps"`
	Milliseconds Spread  `json:"milliseconds"` // of the host a step, without its waiting
	Submits      float64 `json:"submits"`      // to the device's queue a step
	Idle         float64 `json:"idle"`         // part of the time in which no command of a step runs
}

// MeasureHost trains for some steps, after two that warm up, and for Idle once
// more with timestamps around every command.
func MeasureHost(ctx context.Context, dev *gpu.Device, r Recipe, e Effort) (Host, error) {
	h := Host{Recipe: r.Name, Batch: r.Config.BatchSize}
	for _, traced := range []bool{false, true} {
		if err := h.measure(ctx, dev, r, e, traced); err != nil {
			return h, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return h, nil
}

func (h *Host) measure(ctx context.Context, dev *gpu.Device, r Recipe, e Effort, traced bool) error {
	t, err := newTraining(dev, r.Config, traced)
	if err != nil {
		return err
	}
	defer t.Close()
	warm, err := t.Run(ctx, 2)
	if err != nil {
		return err
	}
	submits := dev.Submits()
	list, err := t.Run(ctx, 1+e.count(warm[1].Duration))
	if err != nil {
		return err
	}
	submits = dev.Submits() - submits
	var host []float64
	var wall, busy float64
	for _, one := range list[1:] { // nothing ran before the first
		host = append(host, milliseconds(one.Host))
		wall += one.Duration.Seconds()
		busy += one.Device.Seconds()
	}
	if traced {
		h.Idle = max(0, 1-busy/wall)
		return nil
	}
	h.Count, h.Milliseconds, h.Submits = len(host), spread(host), float64(submits)/float64(len(list))
	return nil
}

// String says it in a line.
func (h Host) String() string {
	return fmt.Sprintf("%s, batch %d: the host takes %s ms a step (half of %d steps: %s) and submits %.3g times; the device is idle for %.2f %% of the time",
		h.Recipe, h.Batch, figure(h.Milliseconds.Median), h.Count, h.Milliseconds.between(), h.Submits, 100*h.Idle)
}
