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

// StepTime is one training step: how long after the one before it ended, and
// its loss.
type StepTime struct {
	Duration time.Duration
	Loss     float32
}

// NewTraining prepares a step on crops of normal random numbers and on the
// weights that the configuration's seed gives.
func NewTraining(dev *gpu.Device, c dino.Config) (t *Training, err error) {
	t = &Training{config: c, schedule: dino.NewSchedule(c, longEpoch), store: gpu.NewStore()}
	defer func() {
		if err != nil {
			t.Close()
			err = fmt.Errorf("bench: %w", err)
		}
	}()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Accumulate != 1 {
		return nil, errors.New("a step of several micro-batches is not measured")
	}
	views := dino.Views{
		Globals: t.store.New("globals", gpu.F32, 2*c.BatchSize, 3, c.ImageSize, c.ImageSize),
		Table:   t.store.New("table", gpu.U32, c.BatchSize, 4),
	}
	if c.LocalCropsNumber > 0 {
		views.Locals = t.store.New("locals", gpu.F32, c.LocalCropsNumber*c.BatchSize, 3, c.LocalSize, c.LocalSize)
	}
	t.step, err = dino.NewStep(c, dev.Caps(), t.store, func(*gpu.Graph, *gpu.Tensor) dino.Views { return views })
	if err != nil {
		return nil, err
	}
	if err := t.store.Allocate(dev); err != nil {
		return nil, err
	}
	programs, err := gpu.Compile(dev, t.step.Graphs()...)
	if err != nil {
		return nil, err
	}
	if err := t.step.Start(programs); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(c.Seed, 0))
	t.globals = normal(r, views.Globals.Len())
	if err := t.store.WriteF32(views.Globals, t.globals); err != nil || views.Locals == nil {
		return t, err
	}
	t.locals = normal(r, views.Locals.Len())
	return t, t.store.WriteF32(views.Locals, t.locals)
}

// Run carries out n more steps, the next submitted while one runs, as training
// does it.
func (t *Training) Run(ctx context.Context, n int) ([]StepTime, error) {
	var list []StepTime
	first := t.done
	running, last := -1, time.Now() // slot under way, end of the step before
	for i := 0; i <= n; i++ {
		submitted := -1
		if i < n {
			slot, err := t.submit(ctx)
			if err != nil {
				return nil, err
			}
			submitted = slot
		}
		if running >= 0 {
			if err := t.step.Wait(ctx, 0, running); err != nil {
				return nil, err
			}
			now := time.Now()
			report := t.step.Report(running)
			if report.Status != 0 {
				return nil, fmt.Errorf("bench: step %d: %w", first+i, dino.ErrNonFinite)
			}
			list = append(list, StepTime{now.Sub(last), report.Loss})
			last = now
		}
		running = submitted
	}
	return list, nil
}

func (t *Training) submit(ctx context.Context) (slot int, err error) {
	if slot, err = t.step.Acquire(ctx, 0); err != nil {
		return 0, err
	}
	if err := t.step.SetParams(slot, t.schedule.Params(t.done)); err != nil {
		return 0, err
	}
	t.done++
	return slot, t.step.Submit(0, slot)
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
