package dino

import (
	"fmt"
	"math"
	"time"

	"dino-vk/gpu"
)

// Usage says how well a run used its device, without the pauses for checkpoints
// and k-NN and without the first step.
type Usage struct {
	Idle    float64       // part of the time in which nothing ran on the device; NaN where its clock is not to be had
	Host    time.Duration // of the processor, a step, to give the device its work and take its reports: of the goroutine that does, so without decoding
	Submits float64       // to the compute queue, a step
}

func (u Usage) String() string {
	idle := "unknown"
	if !math.IsNaN(u.Idle) {
		idle = fmt.Sprintf("%.1f %%", 100*u.Idle)
	}
	submits := "submits"
	if u.Submits == 1 {
		submits = "submit"
	}
	return fmt.Sprintf("GPU idle %s; host %.2f ms and %.3g %s a step", idle, milliseconds(u.Host), u.Submits, submits)
}

// Usage is what Run measured so far; ok is false before the second step.
func (t *Trainer) Usage() (u Usage, ok bool) {
	if t.host.steps == 0 {
		return Usage{}, false
	}
	u = Usage{math.NaN(), t.host.time / time.Duration(t.host.steps), float64(t.host.submits) / float64(t.host.steps)}
	if t.clocked {
		u.Idle = t.rate.whole.idle / t.rate.whole.seconds
	}
	return u, true
}

// hostWork sums what steps cost the host.
type hostWork struct {
	time    time.Duration
	submits int64
	steps   int
}

// during counts a step that f carries out. The goroutine keeps its thread.
func (h *hostWork) during(dev *gpu.Device, f func() error) error {
	begun, submits := threadTime(), dev.Submits()
	err := f()
	h.time += threadTime() - begun
	h.submits += dev.Submits() - submits
	h.steps++
	return err
}

// ran takes the times of the run in a slot, which has ended.
func (t *Trainer) ran(slot int, f *flight) error {
	span, ok, err := t.step.Span(f.micro, slot)
	if err != nil {
		return err
	}
	if !ok { // all that is known is when it was submitted and noticed
		span = gpu.Span{Begin: time.Duration(f.submitted.UnixNano()), End: time.Duration(time.Now().UnixNano())}
	}
	t.clocked = ok
	t.rate.ran(span)
	if t.config.Trace == "" {
		return nil
	}
	list, err := t.step.Timings(f.micro, slot)
	if err != nil {
		return err
	}
	t.trace.add(list)
	if f.last {
		t.trace.steps++
	}
	return nil
}
