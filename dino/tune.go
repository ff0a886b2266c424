package dino

import (
	"context"
	"time"

	"dino-vk/gpu"
)

// Variants are the kernels' variants that a run takes. Other variants add up in
// another order, so a run that goes on where it began takes the same.
type Variants struct {
	Device string            `json:"device"` // its UUID and its driver's
	Chosen map[string]string `json:"chosen"` // by problem
}

// TuningTime is how long a training that begins may look for the fastest variants.
const TuningTime = 20 * time.Second

var tuningTime = TuningTime // tests take none

// Recording records what a run of these settings asks of kernels: its step and
// the teacher's features.
func Recording(c Config) gpu.Recorder {
	return func(caps gpu.Caps) ([]*gpu.Graph, error) {
		store := gpu.NewStore()
		views := c.Views(store)
		step, err := NewStep(c, caps, store, func(*gpu.Graph, *gpu.Tensor) Views { return views })
		if err != nil {
			return nil, err
		}
		weights := step.kept(teacherPrefix).Under(backbonePrefix)
		teacher, err := newExtractor(step.net.Backbone, c.ImageSize, caps, store, weights, c.BatchSize, c.ImageSize*c.ImageSize)
		if err != nil {
			return nil, err
		}
		return append(step.Graphs(), teacher.graph), nil
	}
}

// Views declares the crops of a batch in store.
func (c Config) Views(store *gpu.Store) Views {
	v := Views{
		Globals: store.New("globals", gpu.F32, 2*c.BatchSize, 3, c.ImageSize, c.ImageSize),
		Table:   store.New("table", gpu.U32, c.BatchSize, 4),
	}
	if c.LocalCropsNumber > 0 {
		v.Locals = store.New("locals", gpu.F32, c.LocalCropsNumber*c.BatchSize, 3, c.LocalSize, c.LocalSize)
	}
	return v
}

// tune settles which variants the run takes: those that it began with if it
// goes on where it began, else the fastest.
func (t *Trainer) tune(ctx context.Context, goesOn bool) error {
	began := t.state.Variants
	if !goesOn || began != nil && began.Device != deviceID(t.dev) {
		err := t.dev.Tune(ctx, Recording(t.config), tuningTime, func(gpu.Tuned) { t.tuned++ })
		t.choices = t.dev.Caps().Choices
		return err
	}
	t.choices = &gpu.Choices{}
	if began != nil {
		t.choices.Fastest = began.Chosen
	}
	if found := t.dev.Caps().Choices; found != nil {
		t.choices.Faulty = found.Faulty
	}
	return nil
}

// noteVariants notes what the step was recorded with, where the device chose.
func (t *Trainer) noteVariants() {
	if t.choices == t.dev.Caps().Choices {
		t.state.Variants = &Variants{deviceID(t.dev), gpu.Chosen(append(t.step.Graphs(), t.probe.graphs()...)...)}
	}
}

// Tuned is how many problems were tuned for the run.
func (t *Trainer) Tuned() int { return t.tuned }

// caps are the device's, with the run's choices.
func (t *Trainer) caps() gpu.Caps {
	caps := t.dev.Caps()
	if t.choices != nil {
		caps.Choices = t.choices
	}
	return caps
}

func deviceID(dev *gpu.Device) string {
	return dev.Info().DeviceUUID.String() + " " + dev.Info().DriverUUID.String()
}
