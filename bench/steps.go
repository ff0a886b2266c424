package bench

import (
	"context"
	"fmt"

	"dino-vk/gpu"
)

// Steps is the speed of whole training steps, the crops being made beforehand.
type Steps struct {
	Recipe          string  `json:"recipe"`
	Precision       string  `json:"precision"`
	Batch           int     `json:"batch"`
	Count           int     `json:"steps"`
	Milliseconds    Spread  `json:"milliseconds"` // of a step
	ImagesPerSecond float64 `json:"images_per_second"`
	GFLOPs          float64 `json:"gflops"` // 1e9 operations of matrix products a second
	Loss            float32 `json:"loss"`   // of the first step
}

// MeasureSteps trains for some steps, after two that warm up.
func MeasureSteps(ctx context.Context, dev *gpu.Device, r Recipe, e Effort) (Steps, error) {
	r.Config = r.Config.Precise(dev.Caps())
	t, err := NewTraining(dev, r.Config)
	if err != nil {
		return Steps{}, fmt.Errorf("%s: %w", r.Name, err)
	}
	defer t.Close()
	warm, err := t.Run(ctx, 2)
	if err != nil {
		return Steps{}, fmt.Errorf("%s: %w", r.Name, err)
	}
	list, err := t.Run(ctx, e.count(warm[1].Duration))
	if err != nil {
		return Steps{}, fmt.Errorf("%s: %w", r.Name, err)
	}
	s := summarize(r, list)
	s.Loss = warm[0].Loss
	return s, nil
}

func summarize(r Recipe, list []StepTime) Steps {
	var times []float64
	for _, one := range list {
		times = append(times, milliseconds(one.Duration))
	}
	s := Steps{Recipe: r.Name, Precision: r.Config.Precision, Batch: r.Config.BatchSize, Count: len(list), Milliseconds: spread(times)}
	seconds := s.Milliseconds.Median / 1000
	s.ImagesPerSecond, s.GFLOPs = float64(s.Batch)/seconds, StepFLOPs(r.Config)/seconds/1e9
	return s
}
