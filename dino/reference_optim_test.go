package dino

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// optimProblem is what the optimizers of the family are compared on: some
// tensors, their gradients in every step, and the schedules.
type optimProblem struct {
	file      *reference.File
	params    []op.Param
	decayed   []string // names with weight decay
	lateFirst int      // step, from 1, in which "late" begins to be trained
	lr, wd    []float64
}

func readOptimProblem(t *testing.T, f *reference.File) optimProblem {
	p := optimProblem{file: f, lr: f.F64(t, "lr"), wd: f.F64(t, "wd")}
	var plain []string
	f.Decode(t, "group0", &p.decayed)
	f.Decode(t, "group1", &plain)
	f.Decode(t, "late_first_step", &p.lateFirst)
	for _, name := range append(slices.Clone(p.decayed), plain...) {
		p.params = append(p.params, op.Param{Name: name, Shape: f.Tensor(t, "init."+name).Shape})
	}
	return p
}

func (p optimProblem) flags(x op.Param) op.ParamFlags {
	var flags op.ParamFlags
	if slices.Contains(p.decayed, x.Name) {
		flags |= op.Decay
	}
	if x.Name == "late" {
		flags |= op.LastLayer
	}
	return flags
}

// run returns the parameters after each step, as the reference has them:
// (steps, …) by name.
func (p optimProblem) run(t *testing.T, rule op.Rule, multiplier float64, c optimConstants) map[string][]float32 {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dev := gputest.Open(t)
	layout, err := op.NewLayout(p.params, p.flags, dev.Caps().MaxBinding)
	must(err)
	store := gpu.NewStore()
	bank := func(role string) *op.Bank { return layout.NewBank(store, role) }
	roles := op.Roles{Weight: bank("w"), Gradient: bank("dw"), Moment1: bank("m"), Teacher: bank("teacher")}
	if rule == op.AdamW {
		roles.Moment2 = bank("v")
	}
	optimizer := op.NewOptimizer(store, layout, rule, roles)
	params := store.New("params", gpu.U32, paramWords)
	metrics := store.New("metrics", gpu.F32, metricWords)
	status := store.New("status", gpu.U32, op.StatusWords)

	g := gpu.NewGraph(dev.Caps())
	norms := optimizer.Check(g, params, metrics, status, nil)
	optimizer.Update(g, params, norms, status)
	must(store.Allocate(dev))
	defer store.Close()
	programs, err := gpu.Compile(dev, g)
	must(err)
	defer programs[0].Close()
	must(optimizer.Upload(store))
	gradients := map[string][]float32{}
	for _, x := range p.params {
		must(store.WriteF32(roles.Weight.Tensor(x.Name), p.file.F32(t, "init."+x.Name)))
		gradients[x.Name] = p.file.F32(t, "grad."+x.Name)
	}
	values := map[string][]float32{}
	for i := range p.lr {
		late := max(i+2-p.lateFirst, 1)
		step := op.StepParams{
			LR: float32(multiplier * p.lr[i]), WeightDecay: float32(p.wd[i]), TeacherMomentum: 1,
			Beta1: float32(c.beta1), Beta2: float32(c.Betas[1]), Beta1Rest: float32(1 - c.beta1), Beta2Rest: float32(1 - c.Betas[1]),
			Eps: float32(c.Eps), GradientUnscale: 1, Bias1: adamBias(c.beta1, i+1), Bias2: adamBias(c.Betas[1], i+1),
			Bias1Last: adamBias(c.beta1, late), Bias2Last: adamBias(c.Betas[1], late),
		}
		if i+1 < p.lateFirst {
			step.FreezeLast = 1
		}
		must(store.Write(params, stepBytes(t, step)))
		for _, x := range p.params {
			must(store.WriteF32(roles.Gradient.Tensor(x.Name), gradients[x.Name][i*x.Len():][:x.Len()]))
		}
		must(programs[0].Run(context.Background()))
		for _, x := range p.params {
			w, err := store.ReadF32(roles.Weight.Tensor(x.Name))
			must(err)
			values[x.Name] = append(values[x.Name], w...)
		}
	}
	return values
}

// optimConstants are a rule's constants in the manifest.
type optimConstants struct {
	Betas    [2]float64
	Eps      float64
	Momentum float64
	beta1    float64 // what stands in StepParams.Beta1
}

func TestReferenceOptim(t *testing.T) {
	family := reference.Default().Family(t, "optim")
	config := map[string]json.RawMessage{}
	family.Decode(t, "config", &config)
	problem := family.File("problem")
	if problem == nil {
		t.Fatalf("%s lacks the problem", family.Dir)
	}
	p := readOptimProblem(t, problem)
	for _, rule := range op.Rules {
		t.Run(string(rule), func(t *testing.T) {
			var c optimConstants
			if err := json.Unmarshal(config[string(rule)], &c); err != nil {
				t.Fatal(err)
			}
			if c.beta1 = c.Momentum; rule == op.AdamW {
				c.beta1 = c.Betas[0]
			}
			want := family.File(string(rule))
			if want == nil {
				t.Fatalf("%s lacks %s", family.Dir, rule)
			}
			var multiplier float64
			want.Decode(t, "lr_multiplier", &multiplier)
			got := p.run(t, rule, multiplier, c)
			for _, x := range p.params {
				initial := slices.Repeat(problem.F32(t, "init."+x.Name), len(p.lr))
				want.CheckChange(t, x.Name, got[x.Name], initial)
			}
		})
	}
}
