package dino

import (
	"context"
	"errors"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// TestSplitUploads trains with pictures that are copied by submissions of their
// own, as on a device with a queue for it: the run must be the same.
func TestSplitUploads(t *testing.T) {
	gputest.Open(t) // skips without a device
	for name, accumulate := range map[string]int{"plain": 1, "accumulate": 3} {
		t.Run(name, func(t *testing.T) {
			c := runSettings(t)
			c.BatchSize, c.Accumulate, c.MaxSteps, c.CheckpointEvery = 2, accumulate, 4, 3
			run(t, c)
			dev, err := gpu.Open(gpu.Options{SplitUploads: true})
			if err != nil {
				t.Fatal(err)
			}
			split := c
			split.Output = t.TempDir()
			tr, err := NewTrainer(context.Background(), split, dev, pictureSet(camera{n: runPictures}), &observed{})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(tr.Run(context.Background()), tr.Close(), dev.Close()); err != nil {
				t.Fatal(err)
			}
			for _, m := range dev.ValidationMessages() {
				t.Errorf("validation: %s", m)
			}
			sameRun(t, c.Output, split.Output)
		})
	}
}
