package dino

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// TestRate leaves out pauses and the first step, and tells idle time.
func TestRate(t *testing.T) {
	var r rate
	run := func(begin, end int) {
		r.ran(gpu.Span{Begin: time.Duration(begin) * time.Second, End: time.Duration(end) * time.Second})
	}
	run(0, 100)
	if v := r.stepped(8); v != 8./100 {
		t.Errorf("first step: %v images/s", v)
	}
	run(101, 103) // a second after the first
	run(103, 105) // of the same step
	if v := r.stepped(8); v != 8./5 {
		t.Errorf("second step: %v images/s", v)
	}
	r.pause()
	run(200, 203)
	if v, want := r.stepped(8), (.9*8+8)/(.9*5+3); math.Abs(v-want) > 1e-12 {
		t.Errorf("third step: %v images/s, want %v", v, want)
	}
	if v := r.endEpoch(); v != 16./8 {
		t.Errorf("%v images/s, want 2", v)
	}
	if v := r.endEpoch(); !math.IsNaN(v) {
		t.Errorf("%v images/s without a step", v)
	}
	if w := r.whole; w != (tally{16, 8, 1}) {
		t.Errorf("%+v in all, want 16 images in 8 s of which 1 was idle", w)
	}
}

// waiting lets all that is under way end when it hears of a skipped picture.
type waiting struct {
	observed
	tr *Trainer
	t  *testing.T
}

func (o *waiting) Skipped(error) {
	for slot, f := range o.tr.inFlight {
		if f == nil {
			continue
		}
		if err := o.tr.step.Wait(context.Background(), f.micro, slot); err != nil {
			o.t.Error(err)
		}
	}
}

// TestRateOfShortRun makes the last of three steps so late that both before have
// ended by then, and are reported at once: the rates must be of the time in
// which they ran, all the same.
func TestRateOfShortRun(t *testing.T) {
	c := runSettings(t)
	c.MaxSteps, c.KNNEvery = 3, 0
	source := camera{n: runPictures, broken: map[int]bool{}}
	o := &waiting{t: t}
	tr, err := NewTrainer(context.Background(), c, gputest.Open(t), pictureSet(source), o)
	if err != nil {
		t.Fatal(err)
	}
	o.tr = tr
	step := 0
	for batch := range tr.sampler.Batches(0) {
		if step++; step == c.MaxSteps {
			source.broken[batch[0]] = true
			break
		}
	}
	begun := time.Now()
	err = tr.Run(context.Background())
	wall := time.Since(begun).Seconds()
	var spans [2]gpu.Span // of the second and third step
	for i := range spans {
		span, ok, err := tr.step.Span(0, (i+1)%gpu.Slots)
		if err != nil || !ok {
			t.Skip("no timestamps: ", err)
		}
		spans[i] = span
	}
	usage, ok := tr.Usage()
	if err := errors.Join(err, tr.Close()); err != nil || !ok || len(o.steps) != c.MaxSteps {
		t.Fatalf("%d steps: %v", len(o.steps), err)
	}
	least := 0.0 // seconds of both
	for i, s := range spans {
		images := float64((i + 1) * c.BatchSize)
		least += (s.End - s.Begin).Seconds()
		// The fading weighs the second step a tenth less than the third.
		if rate := o.steps[i+1].ImagesPerSecond; !(rate <= images/(0.9*least)) || !(rate >= 0.9*images/wall) {
			t.Errorf("step %d: %v images/s, of which the device can do %v", i+2, rate, images/least)
		}
	}
	if rate := float64(o.entries[0].ImagesPerSecond); !(rate <= float64(2*c.BatchSize)/least) || !(rate >= float64(2*c.BatchSize)/wall) {
		t.Errorf("the log has %v images/s", rate)
	}
	if usage.Submits != 1 || !(usage.Host > 0) || !(usage.Host.Seconds() < wall) || !(usage.Idle > 0 && usage.Idle < 1) {
		t.Errorf("used %v", usage)
	}
	t.Log(usage)
}
