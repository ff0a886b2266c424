package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dino-vk/dino"
	"dino-vk/gpu"
)

// Kernel is the device time of one operation of a training in one direction.
type Kernel struct {
	Recipe       string  `json:"recipe"`
	Batch        int     `json:"batch"`
	Operation    string  `json:"operation"`
	Shape        string  `json:"shape"`
	Pass         string  `json:"pass"`           // forward or backward
	Type         string  `json:"type,omitempty"` // of activations and the operands of products; "" is float32, too
	Milliseconds Spread  `json:"milliseconds"`
	GFLOPs       float64 `json:"gflops"`   // 1e9 operations of matrix products a second; 0 where there are none
	GBs          float64 `json:"gb_per_s"` // 1e9 bytes a second, everything touched once
	Parts        []Part  `json:"parts"`    // in the order of their first command
}

// Part is what one kernel takes in an operation.
type Part struct {
	Kernel       string  `json:"kernel"`
	Commands     int     `json:"commands"`
	Milliseconds float64 `json:"milliseconds"` // median
}

// Shares of the peaks that an estimate of time assumes.
const (
	guessedFLOPs = 0.1
	guessedBytes = 0.2
)

// estimate is about how long all operations take once.
func estimate(c dino.Config, p Peaks) time.Duration {
	var sum work
	for _, o := range operations(c) {
		sum = sum.plus(o.forward).plus(o.backward)
	}
	seconds := sum.flops/(guessedFLOPs*p.GFLOPs*1e9) + sum.bytes/(guessedBytes*p.GBs*1e9)
	return time.Duration(min(seconds, 1e9) * float64(time.Second)) // a Duration ends at 292 years
}

// kernelBatch is the batch at which operations are timed: 64 images, or fewer
// where once through all of them would take longer than limit.
func kernelBatch(c dino.Config, p Peaks, limit time.Duration) dino.Config {
	c.BatchSize = 64
	for c.BatchSize > 1 && estimate(c, p) > limit {
		c.BatchSize /= 2
	}
	return c
}

// MeasureKernels times every operation of a recipe, at a batch that the peaks
// allow: once through all of them should not exceed limit. Those that know 16
// bits are timed in them, too, where the device trains so by itself. done, if
// not nil, is told of each operation as it is measured.
func MeasureKernels(ctx context.Context, dev *gpu.Device, r Recipe, p Peaks, limit time.Duration, e Effort, done func(Kernel)) ([]Kernel, error) {
	measure := func(o operation, typ gpu.Type) ([]Kernel, error) { return o.measure(ctx, dev, typ, e) }
	return eachOperation(dev, r, kernelBatch(r.Config, p, limit), measure, func(k *Kernel) *Kernel { return k }, done)
}

// eachOperation measures every operation of a recipe of these settings in every
// type of its own, and enters recipe and batch in the kernel of each result.
func eachOperation[T any](dev *gpu.Device, r Recipe, c dino.Config, measure func(operation, gpu.Type) ([]T, error), kernel func(*T) *Kernel, done func(T)) ([]T, error) {
	var all []T
	for _, o := range operations(c) {
		for _, typ := range o.types(c, dev.Caps()) {
			list, err := measure(o, typ)
			if err != nil {
				return nil, fmt.Errorf("bench: %s, %s: %w", r.Name, o.name, err)
			}
			for _, one := range list {
				k := kernel(&one)
				k.Recipe, k.Batch = r.Name, c.BatchSize
				all = append(all, one)
				if done != nil {
					done(one)
				}
			}
		}
	}
	return all, nil
}

var narrowTypes = map[string]gpu.Type{dino.FP16: gpu.F16, dino.BF16: gpu.BF16}

// types are those of the activations with which an operation of a training is
// measured: float32 and, where the operation knows it, the type of 16 bits in
// which the device trains by itself.
func (o operation) types(c dino.Config, caps gpu.Caps) []gpu.Type {
	c.Precision = dino.AutoPrecision
	narrow, ok := narrowTypes[c.Precise(caps).Precision]
	kind := o.torch["kind"]
	if ok && (o.name == "attention" || kind == "linear" || kind == "layer_norm") {
		return []gpu.Type{gpu.F32, narrow}
	}
	return []gpu.Type{gpu.F32}
}

// The scopes of an operation's recording; the tape names the second.
const (
	forwardScope  = "forward"
	backwardScope = forwardScope + " backward"
)

// prepared is an operation ready to run on a device.
type prepared struct {
	operation
	store *gpu.Store
	timed
	each time.Duration // about the time of one run
}

// prepare records an operation on activations of a type and runs it for a
// first time.
func (o operation) prepare(ctx context.Context, dev *gpu.Device, caps gpu.Caps, typ gpu.Type) (*prepared, error) {
	r := newRecorder(caps, typ)
	end := r.g.Scope(forwardScope)
	o.record(r)
	end()
	if err := r.g.Err(); err != nil {
		return nil, err
	}
	p := &prepared{operation: o, store: r.store}
	err := r.allocate(dev)
	if err == nil {
		p.timed, p.each, err = timeGraph(ctx, dev, r.g)
	}
	if err != nil {
		r.store.Close()
		return nil, err
	}
	return p, nil
}

func (p *prepared) close() {
	p.timed.close()
	p.store.Close()
}

// measure times an operation: its forward and, where it has one, its backward.
func (o operation) measure(ctx context.Context, dev *gpu.Device, typ gpu.Type, e Effort) ([]Kernel, error) {
	if err := o.tune(ctx, dev, typ); err != nil {
		return nil, err
	}
	return o.measureAs(ctx, dev, dev.Caps(), typ, e)
}

// recording records an operation, its forward alone or all.
func (o operation) recording(typ gpu.Type, forward bool) gpu.Recorder {
	return func(caps gpu.Caps) ([]*gpu.Graph, error) {
		r := newRecorder(caps, typ)
		r.forward = forward
		o.record(r)
		return []*gpu.Graph{r.g}, r.g.Err()
	}
}

// tune lets the device choose its fastest variants for the operation.
func (o operation) tune(ctx context.Context, dev *gpu.Device, typ gpu.Type) error {
	return dev.Tune(ctx, o.recording(typ, false), dino.TuningTime, nil)
}

// measureAs measures with the variants that caps choose.
func (o operation) measureAs(ctx context.Context, dev *gpu.Device, caps gpu.Caps, typ gpu.Type, e Effort) ([]Kernel, error) {
	p, err := o.prepare(ctx, dev, caps, typ)
	if err != nil {
		return nil, err
	}
	defer p.close()
	runs, err := p.repeat(ctx, e)
	if err != nil {
		return nil, err
	}
	list := p.kernels(runs)
	for i := range list {
		list[i].Type = torchTypes[typ]
	}
	return list, nil
}

// repeat runs the operation and gives the timings of each run.
func (p *prepared) repeat(ctx context.Context, e Effort) (runs [][]gpu.Timing, err error) {
	for range e.count(p.each) {
		list, err := p.run(ctx)
		if err != nil {
			return nil, err
		}
		runs = append(runs, list)
	}
	return runs, nil
}

// kernels summarizes runs by pass.
func (o operation) kernels(runs [][]gpu.Timing) []Kernel {
	list := []Kernel{o.kernel("forward", runs, o.forward, func(scope string) bool {
		return !strings.HasPrefix(scope, backwardScope)
	})}
	if o.backward != (work{}) {
		list = append(list, o.kernel("backward", runs, o.backward, func(scope string) bool {
			return strings.HasPrefix(scope, backwardScope)
		}))
	}
	return list
}

// kernel summarizes the commands of some scopes.
func (o operation) kernel(pass string, runs [][]gpu.Timing, w work, in func(scope string) bool) Kernel {
	k := Kernel{Operation: o.name, Shape: o.shape, Pass: pass}
	var totals []float64
	index := map[string]int{}
	var parts [][]float64 // by kernel and run
	for number, list := range runs {
		total := 0.0
		for _, one := range list {
			if !in(one.Scope) {
				continue
			}
			at, ok := index[one.Kernel]
			if !ok {
				at = len(parts)
				index[one.Kernel] = at
				parts = append(parts, make([]float64, len(runs)))
				k.Parts = append(k.Parts, Part{Kernel: one.Kernel})
			}
			if number == 0 {
				k.Parts[at].Commands += one.Count
			}
			parts[at][number] += milliseconds(one.Duration)
			total += milliseconds(one.Duration)
		}
		totals = append(totals, total)
	}
	for i := range k.Parts {
		k.Parts[i].Milliseconds = spread(parts[i]).Median
	}
	k.Milliseconds = spread(totals)
	if seconds := k.Milliseconds.Median / 1e3; seconds > 0 {
		k.GFLOPs, k.GBs = w.flops/seconds/1e9, w.bytes/seconds/1e9
	}
	return k
}
