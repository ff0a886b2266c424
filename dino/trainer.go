package dino

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// ErrNonFinite says that a loss or gradient was infinite or not a number. The
// state, and the checkpoint, are those of the last good step.
var ErrNonFinite = errors.New("the loss is not finite")

// ConfigName is the file in the output folder that holds the whole effective
// configuration; --config takes it.
const ConfigName = "config.yaml"

// Observer hears what happens in a run.
type Observer interface {
	// Step is told of every optimizer step, some steps after it ran.
	Step(StepReport)
	// Epoch is told of every line of the log, with a diagnosis where the
	// outputs have collapsed.
	Epoch(entry LogEntry, diagnosis string)
	// Skipped is told once of each picture that can't be read.
	Skipped(err error)
}

// StepReport is what is known of one optimizer step.
type StepReport struct {
	Step, Steps, Epoch int // Step is counted from 1
	op.Metrics
	LR, WeightDecay float64
	ImagesPerSecond float64 // over the last steps
}

// Trainer carries out one run.
type Trainer struct {
	config   Config
	dev      *gpu.Device
	set      *data.Set
	observer Observer

	schedule Schedule
	sampler  *data.Sampler
	store    *gpu.Store
	pictures *pictures
	step     *Step
	probe    *probe // nil where nothing is measured on the way
	state    State
	log      *Log
	skipped  int

	inFlight [gpu.Slots]*flight
	next     int // slot of the oldest micro-batch under way
	trace    trace
	rate     rate
	badStep  int // first step that was not finite, -1 for none
}

// flight is a micro-batch under way.
type flight struct {
	micro  int        // its number in the step
	last   bool       // whether it ends the step
	report StepReport // of the step
}

// NewTrainer prepares a run, or goes on with the one in the output folder. It
// fails with what is needed and what there is if the device's memory does not
// suffice.
func NewTrainer(ctx context.Context, c Config, dev *gpu.Device, set *data.Set, o Observer) (*Trainer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &Trainer{config: c, dev: dev, set: set, observer: o, badStep: -1, skipped: len(set.Skipped)}
	var err error
	if t.sampler, err = data.NewSampler(set.Len(), c.GlobalBatch(), c.Seed); err != nil {
		return nil, err
	}
	t.schedule = NewSchedule(c, t.sampler.Steps())
	ck, err := t.openOutput()
	if err != nil {
		return nil, err
	}
	if ck != nil {
		defer ck.Close()
	}
	if err := t.build(ctx, ck); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// openOutput makes the output folder and finds the run to go on with, if any.
func (t *Trainer) openOutput() (*Checkpoint, error) {
	if err := os.MkdirAll(t.config.Output, 0o755); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	ck, err := Resume(t.config.Output, t.config)
	if err != nil {
		return nil, err
	}
	t.state = State{Data: t.set.Len(), Seed: t.config.Seed, Config: t.config}
	if ck != nil {
		if ck.State.Data != t.set.Len() {
			ck.Close()
			return nil, fmt.Errorf("%s: the run was on %d pictures, %s holds %d: give it the same data or another --output",
				t.config.Output, ck.State.Data, t.config.Data, t.set.Len())
		}
		t.state = ck.State
		t.state.Config = t.config
	}
	text, err := t.config.YAML()
	if err != nil {
		return nil, err
	}
	err = WriteFile(filepath.Join(t.config.Output, ConfigName), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.log, err = OpenLog(filepath.Join(t.config.Output, LogName), t.state.Step)
	return ck, err
}

// declare records the step and what else runs on the device; no memory is
// taken.
func (t *Trainer) declare(ctx context.Context, c Config) error {
	t.store = gpu.NewStore()
	t.pictures = newPictures(t.store, c.BatchSize, t.set.Area)
	var err error
	if t.step, err = NewStep(c, t.dev.Caps(), t.store, t.augment(c)); err != nil {
		return err
	}
	t.probe, err = newProbe(ctx, t, c)
	return err
}

// augment records the crops of the pictures.
func (t *Trainer) augment(c Config) Crops {
	return func(g *gpu.Graph, params *gpu.Tensor) Views {
		pix, table := t.pictures.record(g)
		crops := op.Augment(g, c.augmentation(), pix, table, params)
		return Views{crops.Globals, crops.Locals, table}
	}
}

func (t *Trainer) build(ctx context.Context, ck *Checkpoint) error {
	if err := t.declare(ctx, t.config); err != nil {
		return err
	}
	if err := t.checkMemory(ctx); err != nil {
		return err
	}
	if err := t.store.Allocate(t.dev); err != nil {
		return err
	}
	graphs := t.step.Graphs()
	compile := gpu.Compile
	if t.config.Trace != "" {
		compile = gpu.CompileTraced
	}
	programs, err := compile(t.dev, append(graphs, t.probe.graphs()...)...)
	if err != nil {
		return err
	}
	if err := t.step.Start(programs[:len(graphs)]); err != nil {
		return err
	}
	t.probe.start(programs[len(graphs):])
	if ck != nil {
		return t.step.Load(ck)
	}
	return nil
}

// Resumed is the number of optimizer steps that the run had done before.
func (t *Trainer) Resumed() int { return t.state.Step }

// Steps is the number of optimizer steps after which the run ends.
func (t *Trainer) Steps() int {
	if t.config.MaxSteps > 0 {
		return min(t.config.MaxSteps, t.schedule.Steps())
	}
	return t.schedule.Steps()
}

// Run trains until the run's end or until ctx is done, and leaves a checkpoint
// either way. It returns the context's error in the second case.
func (t *Trainer) Run(ctx context.Context) error {
	if t.state.Step >= t.Steps() {
		return nil
	}
	loader := data.NewLoader(ctx, t.set, t.batches(), t.workers(), 2)
	defer loader.Close()
	err := t.train(ctx, loader)
	if t.config.Trace != "" {
		err = errors.Join(err, WriteFile(t.config.Trace, t.trace.write))
	}
	if t.badStep >= 0 {
		err = fmt.Errorf("step %d: %w", t.badStep+1, ErrNonFinite)
	}
	if ctx.Err() == nil && t.badStep < 0 {
		return err
	}
	// Ended early, at whatever step the device has come to.
	if failed := t.drain(); failed != nil {
		return errors.Join(err, failed)
	}
	if failed := t.checkpoint(false); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

func (t *Trainer) train(ctx context.Context, loader *data.Loader) error {
	for submitted := t.state.Step; submitted < t.Steps(); {
		batch, err := loader.Next()
		if err != nil {
			return err
		}
		for _, err := range batch.Skipped {
			t.skipped++
			t.observer.Skipped(err)
		}
		if err := t.submit(ctx, submitted, batch.Items); err != nil {
			return err
		}
		submitted++
		epochEnds := submitted%t.schedule.EpochSteps == 0
		if !epochEnds && submitted < t.Steps() && (t.config.CheckpointEvery == 0 || submitted%t.config.CheckpointEvery != 0) {
			continue
		}
		if err := t.drain(); err != nil {
			return err
		}
		if epochEnds || submitted == t.Steps() {
			if err := t.endEpoch(ctx); err != nil {
				return err
			}
		}
		if err := t.checkpoint(epochEnds); err != nil {
			return err
		}
	}
	return nil
}

// batches deals the pictures of the steps that are left.
func (t *Trainer) batches() iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		step := t.state.Step
		for batch := range t.sampler.Batches(step) {
			if step == t.Steps() || !yield(batch) {
				return
			}
			step++
		}
	}
}

// submit gives the device one step, micro-batch by micro-batch. It waits only
// until the memory of a slot is free again.
func (t *Trainer) submit(ctx context.Context, step int, items []data.Item) error {
	params := t.schedule.Params(step)
	n := t.config.Accumulate
	for i := range n {
		slot, err := t.step.Acquire(ctx, i)
		if err != nil {
			return err
		}
		if err := t.collect(slot); err != nil {
			return err
		}
		if err := t.step.SetParams(slot, params); err != nil {
			return err
		}
		for row, item := range items[i*t.config.BatchSize : (i+1)*t.config.BatchSize] {
			t.pictures.put(slot, row, item.Index, item.Image)
		}
		if err := t.step.Submit(i, slot); err != nil {
			return err
		}
		t.next = (slot + 1) % gpu.Slots
		t.inFlight[slot] = &flight{i, i == n-1, StepReport{
			Step: step + 1, Steps: t.Steps(), Epoch: t.schedule.Epoch(step),
			LR: t.schedule.LR.At(step), WeightDecay: t.schedule.WeightDecay.At(step),
		}}
	}
	return nil
}

// collect takes the report of the step that ran in a slot.
func (t *Trainer) collect(slot int) error {
	f := t.inFlight[slot]
	t.inFlight[slot] = nil
	if f == nil || t.badStep >= 0 {
		return nil
	}
	if err := t.traceRun(slot, f); err != nil || !f.last {
		return err
	}
	r := f.report
	r.Metrics = t.step.Report(slot)
	if r.Status != 0 {
		t.badStep = r.Step - 1
		return ErrNonFinite
	}
	r.ImagesPerSecond = t.rate.step(t.config.GlobalBatch())
	t.state.Step = r.Step
	t.state.Epoch = r.Step / t.schedule.EpochSteps
	t.state.Images = r.Step % t.schedule.EpochSteps * t.config.GlobalBatch()
	t.state.Means.Add(float64(r.Loss), r.LR, r.WeightDecay, float64(r.Entropy), float64(r.KL))
	t.observer.Step(r)
	return nil
}

// traceRun adds the device times of the run in a slot.
func (t *Trainer) traceRun(slot int, f *flight) error {
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

// drain waits for all steps under way, oldest first.
func (t *Trainer) drain() error {
	for range gpu.Slots {
		slot := t.next
		t.next = (t.next + 1) % gpu.Slots
		f := t.inFlight[slot]
		if f == nil {
			continue
		}
		if err := t.step.Wait(context.Background(), f.micro, slot); err != nil {
			return err
		}
		if err := t.collect(slot); err != nil && !errors.Is(err, ErrNonFinite) {
			return err
		}
	}
	return nil
}

// endEpoch writes the log's line.
func (t *Trainer) endEpoch(ctx context.Context) error {
	if t.badStep >= 0 {
		return ErrNonFinite
	}
	means := t.state.Means
	lnK := math.Log(float64(t.config.OutDim))
	e := means.Entry()
	e.Epoch = t.schedule.Epoch(t.state.Step - 1)
	e.Step = t.state.Step
	e.LnK = Number(lnK)
	e.ImagesPerSecond = Number(t.rate.epoch())
	if t.probe.due(e.Epoch, t.state.Step == t.Steps()) {
		top1, err := t.probe.measure(ctx)
		if err != nil {
			return fmt.Errorf("k-NN: %w", err)
		}
		knn := Number(top1)
		e.KNN = &knn
		t.rate.pause()
	}
	e.Memory = t.dev.PeakMemory()
	e.Skipped = t.skipped
	if t.state.Step%t.schedule.EpochSteps == 0 {
		t.state.Means = Means{}
	}
	t.observer.Epoch(e, means.Health(lnK).Diagnosis())
	return t.log.Write(e)
}

func (t *Trainer) checkpoint(epochEnds bool) error {
	numbered := epochEnds && t.config.KeepNumbered(t.state.Epoch-1)
	err := WriteCheckpoint(t.config.Output, t.state, t.step.Entries(), numbered)
	t.rate.pause()
	return err
}

func (t *Trainer) workers() int {
	if t.config.NumWorkers > 0 {
		return t.config.NumWorkers
	}
	return runtime.NumCPU()
}

// Close releases what the trainer holds. The device stays open.
func (t *Trainer) Close() error {
	var err error
	if t.log != nil {
		err = t.log.Close()
	}
	t.probe.close()
	if t.step != nil {
		t.step.Close()
	}
	if t.store != nil {
		t.store.Close()
	}
	return err
}

// rate measures images per second, without the pauses between epochs.
type rate struct {
	last    time.Time
	recent  float64 // moving average of seconds per image
	images  int
	seconds float64
}

// step counts a step of n images that ended now.
func (r *rate) step(n int) float64 {
	now := time.Now()
	if !r.last.IsZero() {
		seconds := now.Sub(r.last).Seconds()
		r.images += n
		r.seconds += seconds
		if per := seconds / float64(n); r.recent == 0 {
			r.recent = per
		} else {
			r.recent += 0.1 * (per - r.recent)
		}
	}
	r.last = now
	if r.recent == 0 {
		return 0
	}
	return 1 / r.recent
}

// pause leaves out the time until the next step.
func (r *rate) pause() { r.last = time.Time{} }

// epoch is the rate since the last call.
func (r *rate) epoch() float64 {
	v := math.NaN()
	if r.seconds > 0 {
		v = float64(r.images) / r.seconds
	}
	r.images, r.seconds = 0, 0
	return v
}
