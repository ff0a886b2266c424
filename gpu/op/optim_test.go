package op

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// optimParams are tensors of all kinds and awkward sizes.
var optimParams = []Param{
	{Name: "one", Shape: []int{1}},
	{Name: "bias", Shape: []int{31}},
	{Name: "weight", Shape: []int{33, 127}}, // more than a block, ragged
	{Name: "wide", Shape: []int{16, 1024}},  // four whole blocks
	{Name: "frozen", Shape: []int{67, 1}},
	{Name: "last", Shape: []int{101, 67}},
	{Name: "zero", Shape: []int{3, 5}}, // where tests say so
}

func optimFlags(p Param) ParamFlags {
	switch p.Name {
	case "one", "bias":
		return 0
	case "frozen":
		return Decay | Frozen
	case "last":
		return Decay | LastLayer
	}
	return Decay
}

// rig is an optimizer with its memory on the device.
type optimRig struct {
	testing.TB
	store                   *gpu.Store
	roles                   Roles
	params, metrics, status *gpu.Tensor
	scaler                  *gpu.Tensor // nil without
	program                 *gpu.Program
}

// With gpu.F16 the loss scale is dynamic.
func newOptimRig(t testing.TB, rule Rule, typ gpu.Type, list []Param, limit int64) *optimRig {
	t.Helper()
	dev := gputest.Open(t)
	l, err := NewLayout(list, optimFlags, limit)
	if err != nil {
		t.Fatal(err)
	}
	s := gpu.NewStore()
	r := &optimRig{TB: t, store: s, roles: Roles{
		Weight: l.NewBank(s, "weight"), Gradient: l.NewBank(s, "gradient"),
		Moment1: l.NewBank(s, "moment1"), Teacher: l.NewBank(s, "teacher"),
	}}
	if rule == AdamW {
		r.roles.Moment2 = l.NewBank(s, "moment2")
	}
	r.params = s.New("params", gpu.U32, len(encodeParams(StepParams{}))/4)
	r.metrics, r.status = s.New("metrics", gpu.F32, 8), s.New("status", gpu.U32, StatusWords)
	g, params := gpu.NewGraph(dev.Caps()), r.params
	if typ.Narrow() {
		r.roles.WeightCopy, r.roles.TeacherCopy = l.NewBankOf(typ, s, "weight copy"), l.NewBankOf(typ, s, "teacher copy")
	}
	if typ == gpu.F16 {
		r.scaler = s.New("scaler", gpu.F32, 4)
		params = BeginScaled(g, params, r.scaler)
	}
	o := NewOptimizer(s, l, rule, r.roles)
	o.Update(g, params, o.Check(g, params, r.metrics, r.status, r.scaler), r.status)
	r.must(s.Allocate(dev))
	t.Cleanup(s.Close)
	r.must(o.Upload(s))
	programs, err := gpu.Compile(dev, g)
	r.must(err)
	r.program = programs[0]
	t.Cleanup(r.program.Close)
	return r
}

func (r *optimRig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// step runs the optimizer and gives back its metrics.
func (r *optimRig) step(p StepParams) Metrics {
	r.Helper()
	r.must(r.store.Write(r.params, encodeParams(p)))
	r.must(r.program.Run(context.Background()))
	b := make([]byte, r.metrics.Bytes())
	r.must(r.store.Read(r.metrics, b))
	f := gpu.BytesF32(b)
	return Metrics{f[0], f[1], f[2], f[3], f[4], binary.LittleEndian.Uint32(b[20:]), f[6], binary.LittleEndian.Uint32(b[28:])}
}

// state is the content of all banks but the gradient's.
func (r *optimRig) state() [][]float32 {
	r.Helper()
	var all [][]float32
	for _, role := range []*Bank{r.roles.Weight, r.roles.Moment1, r.roles.Moment2, r.roles.Teacher} {
		if role == nil {
			continue
		}
		for _, b := range role.Banks() {
			v, err := r.store.ReadF32(b)
			r.must(err)
			all = append(all, v)
		}
	}
	return all
}

func (r *optimRig) floats(t *gpu.Tensor) []float32 {
	r.Helper()
	v, err := r.store.ReadF32(t)
	r.must(err)
	return v
}

// optimStep is the settings of a step: the last layer is frozen for the first
// two, the learning rate of the first is 0.
func optimStep(step int, clip float64) StepParams {
	const freeze = 2
	p := testParams
	p.LR = float32(step) * 1e-3
	p.ClipGrad = float32(clip)
	bias := func(beta float64, t int) float32 { return float32(1 - math.Pow(beta, float64(t))) }
	p.Bias1, p.Bias2 = bias(0.9, step+1), bias(0.999, step+1)
	p.Bias1Last, p.Bias2Last = bias(0.9, step+1-freeze), bias(0.999, step+1-freeze)
	p.Updates, p.UpdatesLast = uint32(step+1), uint32(max(step+1-freeze, 1))
	p.FreezeLast = bit(step < freeze)
	return p
}

// refRule is one step of a tensor by the reference: m and v are its moments.
func refRule(rule Rule, flags ParamFlags, s StepParams, p, g, m, v []float64) {
	decay := 0.0
	if flags&Decay != 0 {
		decay = 0.04
	}
	switch rule {
	case AdamW:
		o := ref.AdamW{LR: float64(s.LR), Decay: decay, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Bias1: float64(s.Bias1), Bias2: float64(s.Bias2)}
		if flags&LastLayer != 0 {
			o.Bias1, o.Bias2 = float64(s.Bias1Last), float64(s.Bias2Last)
		}
		o.Step(p, g, m, v)
	case SGD, LARS:
		o := ref.Momentum{LR: float64(s.LR), Decay: decay, Momentum: 0.9}
		if rule == LARS && flags&Decay != 0 {
			o.Eta = 0.001
		}
		o.Step(p, g, m)
	}
}

func TestOptimizer(t *testing.T) {
	eachReading(t, []*gpu.Kernel{optimAdamW}, func(t *testing.T) {
		for _, rule := range Rules {
			for _, clip := range []float64{0, 3} {
				for _, limit := range []int64{1 << 20, 64 << 10} { // one bank and several
					t.Run(fmt.Sprintf("%s/clip=%g/bank=%d", rule, clip, limit), func(t *testing.T) { testOptimizer(t, rule, clip, limit) })
				}
			}
		}
	})
}

func testOptimizer(t *testing.T, rule Rule, clip float64, limit int64) {
	const steps = 5
	r := newOptimRig(t, rule, gpu.F32, optimParams, limit)
	want := map[string]optimState{}
	for i, p := range optimParams {
		w, teacher := gputest.Normal(uint64(i), p.Len()), gputest.Normal(uint64(100+i), p.Len())
		if p.Name == "zero" {
			clear(w) // LARS does not adapt it
		}
		r.must(r.store.WriteF32(r.roles.Weight.Tensor(p.Name), w))
		r.must(r.store.WriteF32(r.roles.Teacher.Tensor(p.Name), teacher))
		want[p.Name] = newOptimState(w, teacher)
	}
	for step := range steps {
		settings := optimStep(step, clip)
		var all, most float64
		for i, p := range optimParams {
			g0 := gputest.Normal(uint64(1000*step+i), p.Len())
			for j := range g0 {
				g0[j] *= 0.1
			}
			r.must(r.store.WriteF32(r.roles.Gradient.Tensor(p.Name), g0))
			x, g := want[p.Name], gputest.Float64(g0)
			flags := optimFlags(p)
			if flags&Frozen == 0 {
				n := ref.Clip(g, clip)
				all, most = math.Hypot(all, n), max(most, n)
				if flags&LastLayer == 0 || settings.FreezeLast == 0 {
					x.step(rule, flags, settings, clip, 0, g)
				}
			}
			x.average()
		}
		got := r.step(settings)
		// That of all tensors is another norm, of at most 7 terms scaled by the largest.
		if e := math.Abs(float64(got.GradNorm)/all - 1); e > (2*ofNorm+ofQuotient+2)*gputest.Epsilon/2 {
			t.Errorf("step %d: gradient norm %g, want %g", step, got.GradNorm, all)
		}
		if e := math.Abs(float64(got.GradNormMax)/most - 1); e > ofNorm*gputest.Epsilon/2 {
			t.Errorf("step %d: largest gradient norm %g, want %g", step, got.GradNormMax, most)
		}
		if got.Status != 0 {
			t.Fatalf("step %d: status %d", step, got.Status)
		}
	}
	r.compare(want)
}

// A gradient or loss that is not finite stops every change for good, and the
// state stays that of the last good step to the bit.
func TestOptimizerStops(t *testing.T) {
	for _, rule := range Rules {
		t.Run(string(rule), func(t *testing.T) { testOptimizerStops(t, rule) })
	}
}

func testOptimizerStops(t *testing.T, rule Rule) {
	for name, spoil := range map[string]func(r *optimRig){
		"gradient NaN": func(r *optimRig) { r.spoil("wide", 5000, math.NaN()) },
		"gradient inf": func(r *optimRig) { r.spoil("last", 101*67-1, math.Inf(-1)) },
		"loss NaN": func(r *optimRig) {
			r.must(r.store.WriteF32(r.metrics.Slice(0, 1), []float32{float32(math.NaN())}))
		},
		"loss inf": func(r *optimRig) {
			r.must(r.store.WriteF32(r.metrics.Slice(0, 1), []float32{float32(math.Inf(1))}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newOptimRig(t, rule, gpu.F32, optimParams, 64<<10)
			for i, p := range optimParams {
				r.must(r.store.WriteF32(r.roles.Weight.Tensor(p.Name), gputest.Normal(uint64(i), p.Len())))
				r.must(r.store.WriteF32(r.roles.Gradient.Tensor(p.Name), gputest.Normal(uint64(50+i), p.Len())))
			}
			if m := r.step(optimStep(3, 3)); m.Status != 0 {
				t.Fatalf("status %d after a good step", m.Status)
			}
			before := r.state()
			spoil(r)
			for step := range 2 { // bad, then good again: the flag sticks
				if m := r.step(optimStep(4, 3)); m.Status != 1 {
					t.Errorf("step %d: status %d", step, m.Status)
				}
				r.must(r.store.WriteF32(r.metrics.Slice(0, 1), []float32{1}))
				r.spoil("wide", 5000, 1)
				r.spoil("last", 101*67-1, 1)
			}
			for i, after := range r.state() {
				if !slices.Equal(before[i], after) {
					t.Errorf("bank %d changed", i)
				}
			}
		})
	}
}

// spoil sets one element of a gradient.
func (r *optimRig) spoil(name string, i int, v float64) {
	r.Helper()
	g := r.roles.Gradient.Tensor(name)
	values := r.floats(g)
	values[i] = float32(v)
	r.must(r.store.WriteF32(g, values))
}

// A frozen tensor's gradient is never looked at.
func TestOptimizerIgnoresFrozen(t *testing.T) {
	r := newOptimRig(t, LARS, gpu.F32, optimParams, 1<<20)
	r.spoil("frozen", 3, math.NaN())
	if m := r.step(optimStep(3, 3)); m.Status != 0 || m.GradNorm != 0 {
		t.Errorf("metrics %+v", m)
	}
}

func BenchmarkOptimizer(b *testing.B) {
	const n = 4 << 20
	for _, rule := range Rules {
		b.Run(string(rule), func(b *testing.B) {
			r := newOptimRig(b, rule, gpu.F32, []Param{{Name: "weight", Shape: []int{16, n / 16}}}, 128<<20)
			for i, bank := range []*Bank{r.roles.Weight, r.roles.Gradient, r.roles.Teacher} {
				r.must(r.store.WriteF32(bank.Tensor("weight"), gputest.Normal(uint64(i), n)))
			}
			r.step(optimStep(3, 3))
			// The gradient twice; weight, moments and teacher in and out; LARS's
			// norms read the weight and the gradient once more.
			b.SetBytes(map[Rule]int64{AdamW: 10, SGD: 8, LARS: 10}[rule] * 4 * n)
			for b.Loop() {
				r.must(r.program.Run(context.Background()))
			}
		})
	}
}
