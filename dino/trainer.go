package dino

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"time"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// ErrNonFinite says that a number is infinite or not a number: of a loss or
// gradient, after which the state and the checkpoint are those of the last good
// step, or of a state, of which no checkpoint is written.
var ErrNonFinite = errors.New("not finite")

// Observer hears what happens in a run.
type Observer interface {
	// Step is told of every optimizer step, some steps after it ran.
	Step(StepReport)
	// Epoch is told of every line of the log, with a diagnosis where the
	// outputs have collapsed.
	Epoch(entry LogEntry, diagnosis string)
	// Measuring is told before the teacher is measured on so many pictures.
	Measuring(pictures int)
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
	measured *probeSets // nil where nothing is measured on the way
	probe    *probe
	choices  *gpu.Choices // of variants; nil: the first that fits
	tuned    int          // problems, for this run
	need     int64        // bytes of device memory
	output   *output
	initial  *initial // nil where weights are drawn or a run goes on
	state    State
	written  int             // step of the last checkpoint that was tried, -1 before
	skipped  map[string]bool // why each picture that can't be read was left out

	inFlight [gpu.Slots]*flight
	next     int // slot of the oldest micro-batch under way
	trace    trace
	rate     rate
	clocked  bool // rate is by the device's clock
	host     hostWork
	badStep  int // first step that was not finite, -1 for none
}

// flight is a micro-batch under way.
type flight struct {
	micro     int  // its number in the step
	last      bool // whether it ends the step
	submitted time.Time
	report    StepReport // of the step
}

// NewTrainer prepares a run, or goes on with the one in the output folder. It
// fails with what is needed and what there is if the device's memory does not
// suffice.
func NewTrainer(ctx context.Context, c Config, dev *gpu.Device, set *data.Set, o Observer) (*Trainer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &Trainer{config: c.Precise(dev.Caps()), dev: dev, set: set, observer: o, badStep: -1, written: -1, skipped: map[string]bool{}}
	for _, err := range set.Skipped {
		t.skipped[err.Error()] = true // named by who opened the set
	}
	if err := t.prepare(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Trainer) prepare(ctx context.Context) error {
	var err error
	if t.sampler, err = data.NewSampler(t.set.Len(), t.config.GlobalBatch(), t.config.Seed); err != nil {
		return err
	}
	t.schedule = NewSchedule(t.config, t.sampler.Steps())
	if err := readable(ctx, t.set); err != nil {
		return err
	}
	t.state = State{Seed: t.config.Seed, Config: t.config}
	t.state.identify(t.set)
	if t.measured, err = openProbeSets(ctx, t.config, t.set); err != nil {
		return err
	}
	t.skip(t.measured.skipped())
	if t.output, err = openOutput(t.config.Output); err != nil {
		return err
	}
	ck, err := t.output.resume(&t.state)
	if from := t.state.Config.Data; errors.Is(err, ErrOtherRun) && from != t.config.Data {
		return fmt.Errorf("%w (%s is a pack of %s)", err, t.config.Data, from)
	} else if err != nil {
		return err
	}
	if ck != nil {
		defer ck.Close()
		t.schedule.Updates = t.state.Updates
	}
	have := t.dev.Available() + gpu.StagingBytes
	if err := t.fit(have); err != nil {
		return err
	}
	if err := t.tune(ctx, ck != nil); err != nil {
		return err
	}
	if t.choices != nil {
		if err := t.fit(have); err != nil { // other variants, other memory
			return err
		}
		t.noteVariants()
	}
	if ck == nil { // the run's own weights win
		if t.initial, err = openInitial(t.config, t.step.net); err != nil {
			return err
		}
	}
	if err := t.output.begin(t.config, t.logged()); err != nil {
		return err
	}
	return t.build(ck)
}

// readable fails where not one picture can be decoded.
func readable(ctx context.Context, set *data.Set) error {
	loader := data.NewLoader(ctx, set, slices.Values([][]int{{0}}), 1, 1)
	defer loader.Close()
	_, err := loader.Next()
	return err
}

// logged is the step up to which the log is final: the line of an epoch that
// goes on will be written again.
func (t *Trainer) logged() int {
	if t.state.Step >= t.Steps() {
		return t.state.Step
	}
	return t.state.Step - t.state.Step%t.schedule.EpochSteps
}

// declare records the step and what else runs on the device; no memory is
// taken.
func (t *Trainer) declare() error {
	t.store = gpu.NewStore()
	t.pictures = newPictures(t.store, t.config.BatchSize, t.set.Area)
	var err error
	if t.step, err = NewStep(t.config, t.caps(), t.store, t.augment); err != nil {
		return err
	}
	t.probe, err = newProbe(t)
	return err
}

// augment records the crops of the pictures.
func (t *Trainer) augment(g *gpu.Graph, params *gpu.Tensor) Views {
	table := t.pictures.table
	crops := op.Augment(g, t.config.augmentation(), t.pictures.pix, table, params)
	return Views{crops.Globals, crops.Locals, table}
}

// build takes the memory, compiles, and loads the state to go on with.
func (t *Trainer) build(ck *Checkpoint) error {
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
	switch {
	case ck != nil:
		return t.step.Load(ck)
	case t.initial != nil:
		return t.initial.load(t.step)
	}
	return nil
}

// Initial says what the run starts from besides its seed, "" if nothing.
func (t *Trainer) Initial() string { return t.initial.String() }

// Done is the number of optimizer steps done, those before a resume included.
func (t *Trainer) Done() int { return t.state.Step }

// Steps is the number of optimizer steps after which the run ends.
func (t *Trainer) Steps() int {
	if t.config.MaxSteps > 0 {
		return min(t.config.MaxSteps, t.schedule.Steps())
	}
	return t.schedule.Steps()
}

// Run trains until the run's end or until ctx is done. It leaves a checkpoint
// of the last good step however it ends, unless the device or the disk fails.
// It returns the context's error only with a checkpoint written.
func (t *Trainer) Run(ctx context.Context) error {
	loader := data.NewLoader(ctx, t.set, t.batches(), t.workers(), 2)
	defer loader.Close()
	runtime.LockOSThread() // whose time Usage tells
	defer runtime.UnlockOSThread()
	err := t.train(ctx, loader)
	if t.config.Trace != "" {
		err = errors.Join(err, WriteFile(t.config.Trace, t.writeTrace))
	}
	if err == nil || errors.Is(err, gpu.ErrDeviceLost) {
		return err
	}
	failed := t.drain()
	if failed == nil && t.written != t.state.Step {
		failed = t.checkpoint()
	}
	switch {
	case t.badStep >= 0:
		return errors.Join(fmt.Errorf("step %d: the loss or a gradient is %w", t.badStep+1, ErrNonFinite), failed)
	case ctx.Err() != nil && failed != nil:
		return failed
	}
	return errors.Join(err, failed)
}

func (t *Trainer) train(ctx context.Context, loader *data.Loader) error {
	if t.lineDue() { // where the run was stopped while it measured
		if err := t.settle(ctx); err != nil {
			return err
		}
	}
	first := t.state.Step
	for step := first; step < t.Steps(); {
		if step == first+1 {
			t.host = hostWork{} // the first step was a warm-up
		}
		err := t.host.during(t.dev, func() error {
			batch, err := loader.Next()
			if err != nil {
				return err
			}
			t.skip(batch.Skipped)
			return t.submit(ctx, step, batch.Items)
		})
		if err != nil {
			return err
		}
		step++
		if t.epochEnds(step) || step == t.Steps() || t.config.CheckpointEvery > 0 && step%t.config.CheckpointEvery == 0 {
			if err := t.settle(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle lets all steps under way end, writes the log's line if it is time,
// and a checkpoint.
func (t *Trainer) settle(ctx context.Context) error {
	if err := t.drain(); err != nil {
		return err
	}
	if t.badStep >= 0 {
		return ErrNonFinite
	}
	if t.lineDue() {
		if err := t.endEpoch(ctx); err != nil {
			return err
		}
	}
	return t.checkpoint()
}

func (t *Trainer) epochEnds(step int) bool { return step%t.schedule.EpochSteps == 0 }

// lineDue reports whether the state is at the end of an epoch or of the run
// and the log does not say so yet.
func (t *Trainer) lineDue() bool {
	return t.state.Means.Steps > 0 && t.output.log.step < t.state.Step &&
		(t.epochEnds(t.state.Step) || t.state.Step >= t.Steps())
}

// skip tells of pictures that were left out, of each once.
func (t *Trainer) skip(errs []error) {
	for _, err := range errs {
		if why := err.Error(); !t.skipped[why] {
			t.skipped[why] = true
			t.observer.Skipped(err)
		}
	}
}

// batches deals the pictures of the steps that are left.
func (t *Trainer) batches() iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		step := t.state.Step
		for batch := range t.sampler.Batches(step) {
			if step >= t.Steps() || !yield(batch) {
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
		t.pictures.fill(slot, items[i*t.config.BatchSize:(i+1)*t.config.BatchSize])
		if err := t.step.Submit(i, slot); err != nil {
			return err
		}
		t.next = (slot + 1) % gpu.Slots
		t.inFlight[slot] = &flight{i, i == n-1, time.Now(), StepReport{
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
	if err := t.ran(slot, f); err != nil || !f.last {
		return err
	}
	r := f.report
	r.Metrics = t.step.Report(slot)
	if r.Status != 0 {
		t.badStep = r.Step - 1
		return ErrNonFinite
	}
	r.ImagesPerSecond = t.rate.stepped(t.config.GlobalBatch())
	t.state.Step = r.Step
	t.state.Epoch = r.Step / t.schedule.EpochSteps
	t.state.Images = r.Step % t.schedule.EpochSteps * t.config.GlobalBatch()
	t.state.Means.Add(float64(r.Loss), r.LR, r.WeightDecay, float64(r.Entropy), float64(r.KL))
	t.observer.Step(r)
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
	means := t.state.Means
	lnK := math.Log(float64(t.config.OutDim))
	e := means.Entry()
	e.Epoch = t.schedule.Epoch(t.state.Step - 1)
	e.Step = t.state.Step
	e.LnK = Number(lnK)
	e.ImagesPerSecond = Number(t.rate.endEpoch())
	if t.probe.due(e.Epoch, t.state.Step == t.Steps()) {
		t.observer.Measuring(t.probe.pictures())
		top1, skipped, err := t.probe.measure(ctx)
		t.skip(skipped)
		if err != nil {
			return fmt.Errorf("k-NN: %w", err)
		}
		knn := Number(top1)
		e.KNN = &knn
		t.rate.pause()
	}
	scaler, err := t.step.scale()
	if err != nil {
		return fmt.Errorf("loss scale: %w", err)
	}
	e.LossScale, e.Overflows = Number(scaler.Scale), int(scaler.Skipped)
	e.Memory = t.dev.PeakMemory()
	e.Skipped = len(t.skipped)
	t.observer.Epoch(e, means.Health(lnK).Diagnosis())
	if err := t.output.log.Write(e); err != nil {
		return err
	}
	if t.epochEnds(t.state.Step) {
		t.state.Means = Means{}
	}
	return nil
}

// checkpoint writes the state, which no step under way may be changing.
func (t *Trainer) checkpoint() error {
	epochEnded := t.epochEnds(t.state.Step) && t.state.Step > 0 && t.state.Means.Steps == 0
	t.written = t.state.Step
	err := WriteCheckpoint(t.config.Output, t.state, t.step.Entries(), epochEnded && t.config.KeepNumbered(t.state.Epoch-1))
	if err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", t.state.Step, err)
	}
	t.rate.pause()
	return nil
}

func (t *Trainer) workers() int {
	if t.config.NumWorkers > 0 {
		return t.config.NumWorkers
	}
	return runtime.NumCPU()
}

// Close releases what the trainer holds. The device stays open.
func (t *Trainer) Close() error {
	t.probe.close()
	t.measured.close()
	if t.step != nil {
		t.step.Close()
	}
	if t.store != nil {
		t.store.Close()
	}
	return errors.Join(t.initial.close(), t.output.close())
}
