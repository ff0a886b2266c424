package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"dino-vk/dino"
	"dino-vk/gpu"
)

// Training is a training step on a device whose crops are made beforehand and
// the same at every step.
type Training struct {
	config   dino.Config
	schedule dino.Schedule
	store    *gpu.Store
	step     *dino.Step
	done     int // steps

	globals, locals []float32 // (2, B, 3, S, S), (L, B, 3, s, s)
}

// StepTime is one training step: how long after the one before it ended, its
// loss, and the time that the host spent on it without waiting.
type StepTime struct {
	Duration time.Duration
	Loss     float32
	Host     time.Duration
	Span     gpu.Span // on the device; zero where it has no clock
}

// NewTraining prepares a step on crops of normal random numbers and on the
// weights that the configuration's seed gives.
func NewTraining(dev *gpu.Device, c dino.Config) (*Training, error) {
	return newTraining(dev, c, dino.TuningTime)
}

// newTraining is NewTraining that looks for the fastest variants for so long.
func newTraining(dev *gpu.Device, c dino.Config, tuning time.Duration) (*Training, error) {
	c = c.Precise(dev.Caps())
	t := &Training{config: c, schedule: dino.NewSchedule(c, longEpoch), store: gpu.NewStore()}
	if err := t.prepare(dev, tuning); err != nil {
		t.Close()
		return nil, fmt.Errorf("bench: %w", err)
	}
	return t, nil
}

func (t *Training) prepare(dev *gpu.Device, tuning time.Duration) error {
	c := t.config
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Accumulate != 1 {
		return errors.New("a step of several micro-batches is not measured")
	}
	err := dev.Tune(context.Background(), dino.Recording(c), tuning, nil)
	if err != nil {
		return err
	}
	views := c.Views(t.store)
	t.step, err = dino.NewStep(c, dev.Caps(), t.store, func(*gpu.Graph, *gpu.Tensor) dino.Views { return views })
	if err != nil {
		return err
	}
	if err := t.store.Allocate(dev); err != nil {
		return err
	}
	programs, err := gpu.Compile(dev, t.step.Graphs()...)
	if err != nil {
		return err
	}
	if err := t.step.Start(programs); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(c.Seed, 0))
	t.globals = normal(r, views.Globals.Len())
	if err := t.store.WriteF32(views.Globals, t.globals); err != nil || views.Locals == nil {
		return err
	}
	t.locals = normal(r, views.Locals.Len())
	return t.store.WriteF32(views.Locals, t.locals)
}

// Run carries out n more steps, the next submitted while one runs, as training
// does it.
func (t *Training) Run(ctx context.Context, n int) ([]StepTime, error) {
	var list []StepTime
	first := t.done
	running, last := -1, time.Now() // slot under way, end of the step before
	var host [gpu.Slots]time.Duration
	for i := 0; i <= n; i++ {
		submitted := -1
		if i < n {
			slot, err := t.step.Acquire(ctx, 0)
			if err != nil {
				return nil, err
			}
			begun := time.Now()
			if err := t.submit(slot); err != nil {
				return nil, err
			}
			submitted, host[slot] = slot, time.Since(begun)
		}
		if running >= 0 {
			if err := t.step.Wait(ctx, 0, running); err != nil {
				return nil, err
			}
			now := time.Now()
			one := StepTime{Duration: now.Sub(last)}
			report := t.step.Report(running)
			if report.Status != 0 {
				return nil, fmt.Errorf("bench: step %d: %w", first+i-1, dino.ErrNonFinite)
			}
			one.Loss, one.Host = report.Loss, host[running]+time.Since(now)
			var err error
			if one.Span, _, err = t.step.Span(0, running); err != nil { // llvmpipe lets this wait for the next step
				return nil, err
			}
			list = append(list, one)
			last = now
		}
		running = submitted
	}
	return list, nil
}

// submit starts a step in a slot.
func (t *Training) submit(slot int) error {
	if err := t.step.SetParams(slot, t.schedule.Params(t.done)); err != nil {
		return err
	}
	t.done++
	return t.step.Submit(0, slot)
}

// Close frees what the training holds on the device.
func (t *Training) Close() {
	if t.step != nil {
		t.step.Close()
	}
	t.store.Close()
}

// normal draws from N(0, 1): nothing may be faster for being zero.
func normal(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}
