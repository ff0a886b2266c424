package bench

import (
	"context"
	"fmt"
	"time"

	"dino-vk/gpu"
)

// Host is what a training step costs the host, and how long the device waits
// for it.
type Host struct {
	Recipe       string  `json:"recipe"`
	Batch        int     `json:"batch"`
	Precision    string  `json:"precision"`
	Count        int     `json:"steps"`
	Milliseconds Spread  `json:"milliseconds"` // of the host a step, without its waiting
	Submits      float64 `json:"submits"`      // to the device's queue a step
	Idle         float64 `json:"idle"`         // part of the time in which no step runs; 0 where the device has no clock
}

// MeasureHost trains for some steps, after two that warm up.
func MeasureHost(ctx context.Context, dev *gpu.Device, r Recipe, e Effort) (Host, error) {
	h := Host{Recipe: r.Name, Batch: r.Config.BatchSize}
	t, err := NewTraining(dev, r.Config)
	if err != nil {
		return h, fmt.Errorf("%s: %w", r.Name, err)
	}
	defer t.Close()
	h.Precision = t.config.Precision
	warm, err := t.Run(ctx, 2)
	if err != nil {
		return h, fmt.Errorf("%s: %w", r.Name, err)
	}
	submits := dev.Submits()
	list, err := t.Run(ctx, 1+e.count(warm[1].Duration))
	if err != nil {
		return h, fmt.Errorf("%s: %w", r.Name, err)
	}
	h.Submits = float64(dev.Submits()-submits) / float64(len(list))
	var host []float64
	var idle time.Duration
	for i, one := range list[1:] { // nothing ran before the first
		host = append(host, milliseconds(one.Host))
		idle += max(0, one.Span.Begin-list[i].Span.End)
	}
	h.Count, h.Milliseconds = len(host), spread(host)
	if all := list[len(list)-1].Span.End - list[0].Span.End; all > 0 {
		h.Idle = float64(idle) / float64(all)
	}
	return h, nil
}

// String says it in a line.
func (h Host) String() string {
	return fmt.Sprintf("%s, batch %d, %s: the host takes %s ms a step (half of %d steps: %s) and submits %.3g times; the device is idle for %.2f %% of the time",
		h.Recipe, h.Batch, h.Precision, figure(h.Milliseconds.Median), h.Count, h.Milliseconds.between(), h.Submits, 100*h.Idle)
}
