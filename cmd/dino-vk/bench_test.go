package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"dino-vk/bench"
	"dino-vk/gpu/gputest"
)

// stopper ends a context when something begins with its text.
type stopper struct {
	text string
	stop func()
}

func (s stopper) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(s.text)) {
		s.stop()
	}
	return len(p), nil
}

// What was measured before bench was stopped is in its results.
func TestBenchStopped(t *testing.T) {
	gputest.Open(t) // skips without a device
	t.Setenv("DINOVK_TUNE", "0")
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	a := app()
	a.Writer = stopper{"peaks: ", stop}
	err := a.RunContext(ctx, []string{"dino-vk", "bench", "--only", "peaks,steps", "--recipe", "small", "--batch-size", "1", "--output", dir})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	r, err := bench.ReadResult(files[0])
	if err != nil || r.Peaks == nil || !(r.Peaks.GFLOPs > 0) || len(r.Steps) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
