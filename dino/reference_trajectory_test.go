package dino

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// trajectory is the family train_trajectory: some steps of training on given
// crops, from given weights.
type trajectory struct {
	Img, Patch, Dim, Depth, Heads int
	LocalImg                      int `json:"local_img"`
	Out, Hidden, Bottleneck       int
	Batch, Local, Epochs          int
	StepsPerEpoch                 int `json:"steps_per_epoch"`
	Variants                      map[string]trajectoryVariant
	AdamW                         struct {
		Betas []float64
		Eps   float64
	}
	CenterMomentum float64 `json:"center_momentum"`
	StudentTemp    float64 `json:"student_temp"`
	Mean, Std      []float32

	family *reference.Family
}

// trajectoryVariant is what the runs on the same crops differ in.
type trajectoryVariant struct {
	NormLastLayer bool    `json:"norm_last_layer"`
	Freeze        int     // epochs
	Clip          float64 // largest gradient norm of a tensor
	LR            float64 // peak, scaled already
	MinLR         float64 `json:"min_lr"`
	Warmup        int     // epochs
	Momentum      float64
	WarmTemp      float64 `json:"wtemp"`
	Temp          float64
	WarmTempE     int `json:"wtemp_epochs"`
	WD            float64
	WDEnd         float64 `json:"wd_end"`
}

func readTrajectory(t *testing.T) trajectory {
	t.Helper()
	r := trajectory{family: reference.Default().Family(t, "train_trajectory")}
	r.family.Decode(t, "config", &r)
	if r.AdamW.Eps != adamEps || !slices.Equal(r.AdamW.Betas, []float64{adamBeta1, adamBeta2}) {
		t.Fatalf("AdamW with %+v", r.AdamW)
	}
	return r
}

// file returns a file that must be there.
func (r trajectory) file(t *testing.T, name string) *reference.File {
	t.Helper()
	f := r.family.File(name)
	if f == nil {
		t.Fatalf("%s lacks %s", r.family.Dir, name)
	}
	return f
}

// config is the run's settings; each optimizer step takes its images in
// accumulate parts.
func (r trajectory) config(t *testing.T, name string, accumulate int) Config {
	t.Helper()
	v, c := r.Variants[name], DefaultConfig()
	c.Precision = FP32
	c.PatchSize, c.Dim, c.Depth, c.Heads, c.DropPathRate = r.Patch, r.Dim, r.Depth, r.Heads, 0
	c.ImageSize, c.LocalSize, c.LocalCropsNumber = r.Img, r.LocalImg, r.Local
	c.OutDim, c.NormLastLayer, c.HeadHiddenDim, c.HeadBottleneckDim = r.Out, v.NormLastLayer, r.Hidden, r.Bottleneck
	c.HeadLayers = 0
	for _, x := range r.file(t, name+".init").Tensors() {
		if strings.HasPrefix(x.Name, "student.head.mlp.") && strings.HasSuffix(x.Name, ".weight") {
			c.HeadLayers++
		}
	}
	c.MomentumTeacher, c.CenterMomentum, c.StudentTemp = v.Momentum, r.CenterMomentum, r.StudentTemp
	c.WarmupTeacherTemp, c.TeacherTemp, c.WarmupTeacherTempEpochs = v.WarmTemp, v.Temp, v.WarmTempE
	c.BatchSize, c.Accumulate, c.Epochs = r.Batch/accumulate, accumulate, r.Epochs
	c.LR, c.MinLR, c.WarmupEpochs = v.LR*256/float64(r.Batch), v.MinLR, v.Warmup
	c.WeightDecay, c.WeightDecayEnd, c.ClipGrad, c.FreezeLastLayer = v.WD, v.WDEnd, v.Clip, v.Freeze
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// crops are all crops of one resolution, normalised: (steps, crops, B, 3, S, S).
type trajectoryCrops struct {
	steps, crops, batch, image int // image: elements of one
	values                     []float32
}

func (r trajectory) crops(t *testing.T, name string) trajectoryCrops {
	t.Helper()
	f := r.file(t, "crops")
	shape, bytes := f.Tensor(t, name).Shape, f.U8(t, name)
	area := shape[4] * shape[5]
	c := trajectoryCrops{shape[0], shape[1], shape[2], 3 * area, make([]float32, len(bytes))}
	for i, b := range bytes {
		channel := i / area % 3
		c.values[i] = (float32(b)/255 - r.Mean[channel]) / r.Std[channel]
	}
	return c
}

// part gives images [first, first+n) of a step, crop-major: (crops·n, 3, S, S).
func (c trajectoryCrops) part(step, first, n int) []float32 {
	var v []float32
	for crop := range c.crops {
		at := ((step*c.crops+crop)*c.batch + first) * c.image
		v = append(v, c.values[at:at+n*c.image]...)
	}
	return v
}

// trajectoryRun is a training step on the reference's weights and crops.
type trajectoryRun struct {
	t              *testing.T
	step           *Step
	schedule       Schedule
	views          Views
	global, local  trajectoryCrops
	batch, batches int // images of a micro-batch, micro-batches of a step
}

// start prepares a variant from the reference's weights.
func (r trajectory) start(t *testing.T, name string, accumulate int) *trajectoryRun {
	t.Helper()
	run := r.prepare(t, r.config(t, name, accumulate))
	init := r.file(t, name+".init")
	states := run.states()
	for _, x := range init.Tensors() {
		s, ok := states[x.Name]
		if !ok || s.Len() != x.Len() {
			t.Fatalf("the set has %s %v, the step %v", x.Name, x.Shape, s)
		}
		if err := run.step.store.WriteF32(s, init.F32(t, x.Name)); err != nil {
			t.Fatal(err)
		}
	}
	return run
}

// prepare gives the step of a variant its memory; the weights are of its seed.
func (r trajectory) prepare(t *testing.T, config Config) *trajectoryRun {
	t.Helper()
	return prepareRun(t, config, r.StepsPerEpoch, r.crops(t, "global"), r.crops(t, "local"))
}

// prepareRun prepares training on given crops.
func prepareRun(t *testing.T, config Config, epochSteps int, global, local trajectoryCrops) *trajectoryRun {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dev, store := gputest.Open(t), gpu.NewStore()
	run := &trajectoryRun{
		t: t, schedule: NewSchedule(config, epochSteps), batch: config.BatchSize, batches: config.Accumulate, global: global, local: local,
	}
	images := func(name string, crops, size int) *gpu.Tensor {
		return store.New(name, gpu.F32, crops*run.batch, 3, size, size)
	}
	run.views.Globals = images("globals", 2, config.ImageSize)
	if config.LocalCropsNumber > 0 {
		run.views.Locals = images("locals", config.LocalCropsNumber, config.LocalSize)
	}
	run.views.Table = store.New("table", gpu.U32, run.batch, 4)
	step, err := NewStep(config, dev.Caps(), store, func(*gpu.Graph, *gpu.Tensor) Views { return run.views })
	must(err)
	run.step = step
	must(store.Allocate(dev))
	t.Cleanup(store.Close)
	programs, err := gpu.Compile(dev, step.Graphs()...)
	must(err)
	t.Cleanup(step.Close)
	must(step.Start(programs))
	return run
}

// states are the trained tensors by the reference's names.
func (r *trajectoryRun) states() map[string]*gpu.Tensor {
	states := map[string]*gpu.Tensor{"center": r.step.center}
	for _, p := range r.step.params {
		states["student."+p.Name] = r.step.student.Tensor(p.Name)
		states["teacher."+p.Name] = r.step.teacher.Tensor(p.Name)
	}
	return states
}

// do carries out optimizer step i, counted from 0, and returns its loss.
func (r *trajectoryRun) do(i int) float32 { return r.doCrops(i, i) }

// doCrops carries out step i of the schedule on the crops of another.
func (r *trajectoryRun) doCrops(row, i int) float32 {
	r.t.Helper()
	must := func(err error) {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	for m := range r.batches {
		must(r.step.store.WriteF32(r.views.Globals, r.global.part(row, m*r.batch, r.batch)))
		if r.views.Locals != nil {
			must(r.step.store.WriteF32(r.views.Locals, r.local.part(row, m*r.batch, r.batch)))
		}
		slot, err := r.step.Acquire(context.Background(), m)
		must(err)
		must(r.step.SetParams(slot, r.schedule.Params(i)))
		must(r.step.Submit(m, slot))
		must(r.step.programs[part(m, r.batches)].Wait(context.Background(), slot))
		if m == r.batches-1 {
			report := r.step.Report(slot)
			if report.Status != 0 {
				r.t.Fatalf("step %d is not finite: %+v", i+1, report)
			}
			return report.Loss
		}
	}
	return 0
}

func (r *trajectoryRun) read(x *gpu.Tensor) []float32 {
	r.t.Helper()
	v, err := r.step.store.ReadF32(x)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// gradientNorms are the norms of the named parameters' gradients, 0 of those
// that are not trained.
func (r *trajectoryRun) gradientNorms(names []string) []float32 {
	var norms []float32
	for _, name := range names {
		sum := 0.0
		for _, v := range r.read(r.step.gradient.Tensor(name)) {
			sum += float64(v) * float64(v)
		}
		norms = append(norms, float32(math.Sqrt(sum)))
	}
	return norms
}

// Limits that the set's README gives besides the manifests' ones: of a loss at
// every step, absolute, and of the median rel_l2 of the trained tensors.
const (
	trajectoryLoss   = 2e-5
	trajectoryMedian = 2e-5
)

func TestReferenceTrajectory(t *testing.T) {
	r := readTrajectory(t)
	for _, name := range slices.Sorted(maps.Keys(r.Variants)) {
		for _, accumulate := range []int{1, smallestDivisor(r.Batch)} {
			title := name
			if accumulate > 1 {
				title = fmt.Sprintf("%s.accumulate%d", name, accumulate)
			}
			t.Run(title, func(t *testing.T) { r.compare(t, name, accumulate) })
		}
	}
}

// smallestDivisor of n above 1.
func smallestDivisor(n int) int {
	for d := 2; d < n; d++ {
		if n%d == 0 {
			return d
		}
	}
	return n
}

// compare trains and checks every loss, gradient norm and kept state.
func (r trajectory) compare(t *testing.T, name string, accumulate int) {
	steps := r.file(t, name+".steps")
	run := r.start(t, name, accumulate)
	var params []string
	steps.Decode(t, "param_names", &params)
	var losses, norms []float32
	for i := range steps.Tensor(t, "loss").Len() {
		losses = append(losses, run.do(i))
		norms = append(norms, run.gradientNorms(params)...)
		if f := r.family.File(name + ".step1_grads"); f != nil && i == 0 {
			for _, p := range run.step.params {
				if f.Lookup("grad."+p.Name) != nil {
					f.Check(t, "grad."+p.Name, run.read(run.step.gradient.Tensor(p.Name)))
				}
			}
		}
		if f := r.family.File(fmt.Sprintf("%s.step%d", name, i+1)); f != nil {
			t.Run(fmt.Sprintf("step%d", i+1), func(t *testing.T) { run.compareState(t, f) })
		}
	}
	steps.Check(t, "loss", losses)
	steps.Check(t, "grad_norm", norms)
	t.Run("loss_absolute", func(t *testing.T) {
		e, err := reference.Measure("abs", losses, steps.F32(t, "loss"))
		if err != nil || !(e <= trajectoryLoss) {
			t.Errorf("%.3g exceeds %.2g (%v)", e, trajectoryLoss, err)
		}
		t.Logf("%.2g (limit %.2g)", e, trajectoryLoss)
	})
	run.compareSchedule(t, steps)
}

// compareState compares the weights and the center with a kept state.
func (r *trajectoryRun) compareState(t *testing.T, f *reference.File) {
	states := r.states()
	var errors []float64
	for _, x := range f.Tensors() {
		got := r.read(states[x.Name])
		f.Check(t, x.Name, got)
		if x.Kind == "trained" {
			e, err := reference.Measure("rel_l2", got, f.F32(t, x.Name))
			if err != nil {
				t.Fatal(err)
			}
			errors = append(errors, e)
		}
	}
	t.Run("median", func(t *testing.T) {
		slices.Sort(errors)
		median := errors[len(errors)/2]
		if !(median <= trajectoryMedian) {
			t.Errorf("rel_l2 of %.3g exceeds %.2g", median, trajectoryMedian)
		}
		t.Logf("rel_l2 %.2g (limit %.2g) of %d tensors, worst %.2g", median, trajectoryMedian, len(errors), errors[len(errors)-1])
	})
}

// compareSchedule compares what changes from step to step.
func (r *trajectoryRun) compareSchedule(t *testing.T, steps *reference.File) {
	s := r.schedule
	for name, at := range map[string]func(i int) float64{
		"lr": s.LR.At, "wd": s.WeightDecay.At, "momentum": s.Momentum.At,
		"teacher_temp": func(i int) float64 { return s.Temp.At(s.Epoch(i)) },
	} {
		t.Run(name, func(t *testing.T) {
			for i, want := range steps.F64(t, name) {
				if got := at(i); math.Abs(got-want) > scheduleTolerance*math.Abs(want) {
					t.Errorf("step %d: %v, want %v", i+1, got, want)
				}
			}
		})
	}
	t.Run("last_layer_frozen", func(t *testing.T) {
		for i, want := range steps.U8(t, "last_layer_frozen") {
			if got := s.Params(i).FreezeLast; got != uint32(want) {
				t.Errorf("step %d: %d, want %d", i+1, got, want)
			}
		}
	})
}

// TestReferenceTrajectoryOutputs compares both networks' outputs in the first
// step.
func TestReferenceTrajectoryOutputs(t *testing.T) {
	r := readTrajectory(t)
	for _, name := range slices.Sorted(maps.Keys(r.Variants)) {
		f := r.family.File(name + ".step1_grads")
		if f == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			init := r.file(t, name+".init")
			net, err := NewNetwork(r.config(t, name, 1))
			if err != nil {
				t.Fatal(err)
			}
			c := gputest.New(t)
			global := c.Input("globals", r.crops(t, "global").part(0, 0, r.Batch), 2*r.Batch, 3, r.Img, r.Img)
			views := []*gpu.Tensor{global}
			if r.Local > 0 {
				views = append(views, c.Input("locals", r.crops(t, "local").part(0, 0, r.Batch), r.Local*r.Batch, 3, r.LocalImg, r.LocalImg))
			}
			tape := op.NewTape(c.Graph)
			student := c.Keep(net.Forward(tape, weightInputs(t, c, init, "student.", net.Params()), op.Mode{Train: true}, views...))
			teacher := c.Keep(net.Forward(tape, weightInputs(t, c, init, "teacher.", net.Params()), op.Mode{Train: true}, global))
			c.Run()
			f.Check(t, "student_out", c.Floats(student))
			f.Check(t, "teacher_out", c.Floats(teacher))
		})
	}
}
