package weights

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/pth"
	"dino-vk/dino/safetensors"
)

// trainingParts are a training checkpoint of two layers and a norm as the
// reference saves it; one of the optimizer's counts is a tensor, as PyTorch
// writes them since 1.12.
func trainingParts(t testing.TB) map[string]any {
	tensor := func(name string, shape []int, values ...float32) safetensors.Entry {
		return safetensors.Values(name, shape, values)
	}
	network := func(prefix string) *pth.Dict {
		return dict(t, []safetensors.Entry{
			tensor(prefix+"backbone.w", []int{2, 1}, 1, 2), tensor(prefix+"backbone.b.bias", []int{2}, 3, 4),
			tensor(prefix+"backbone.bn.running_mean", []int{2}, 5, 6),
			tensor(prefix+"head.last_layer.weight_g", []int{2, 1}, 1, 1), tensor(prefix+"head.last_layer.weight_v", []int{2, 1}, 7, 8),
		})
	}
	state := func(step any, m ...float32) *pth.Dict {
		d, e := &pth.Dict{}, tensor("exp_avg", []int{len(m), 1}, m...)
		set(t, d, "step", step)
		set(t, d, "exp_avg", &e)
		return d
	}
	step := tensor("step", nil, 10)
	states := &pth.Dict{}
	set(t, states, 0, state(&step, 0.5, 0.25))
	set(t, states, 2, state(10, 9))
	group := func(numbers ...any) *pth.Dict {
		d := &pth.Dict{}
		set(t, d, "params", &pth.List{Items: numbers})
		return d
	}
	optimizer := &pth.Dict{}
	set(t, optimizer, "state", states)
	set(t, optimizer, "param_groups", &pth.List{Items: []any{group(0, 1), group(2)}})
	args := &pth.Object{Class: pth.Namespace}
	set(t, &args.Attrs, "arch", "vit_small")
	return map[string]any{
		"student": network("module."), "teacher": network(""), "optimizer": optimizer, "epoch": 2, "args": args,
		"dino_loss": dict(t, []safetensors.Entry{tensor("center", []int{1, 2}, 1, -1)}), "fp16_scaler": &pth.Dict{},
	}
}

func training(t testing.TB, parts map[string]any) string {
	t.Helper()
	root := &pth.Dict{}
	for _, key := range []string{"student", "teacher", "optimizer", "epoch", "args", "dino_loss", "fp16_scaler"} {
		if v := parts[key]; v != nil {
			set(t, root, key, v)
		}
	}
	return pickled(t, root)
}

func TestTraining(t *testing.T) {
	f := mustOpen(t, training(t, trainingParts(t)))
	tr := f.Training
	if f.Source != Checkpoint || tr == nil || tr.Epoch != 2 || tr.Args.Get("arch") != any("vit_small") || f.Center.Len() != 2 {
		t.Fatalf("%+v", tr)
	}
	student, err := f.Network("student")
	if err != nil {
		t.Fatal(err)
	}
	if x := student.Tensor("backbone.w"); x == nil || x.Source() != "module.backbone.w" {
		t.Errorf("backbone.w is %v", x)
	}
	if groups := ParamGroups(student, false); !slices.Equal(groups[0], []string{"backbone.w", "head.last_layer.weight_v"}) || !slices.Equal(groups[1], []string{"backbone.b.bias"}) {
		t.Errorf("groups %v", groups)
	}
	for name, want := range map[string]int{"backbone.w": 10, "backbone.b.bias": 10, "head.last_layer.weight_v": 0} {
		if n, err := tr.Steps(name); err != nil || n != want {
			t.Errorf("%d updates of %s (%v), want %d", n, name, err, want)
		}
	}
	m, err := tr.Moment("backbone.w", "exp_avg", []int{2, 1})
	got := make([]float32, 2)
	if err := errors.Join(err, m.ReadF32(got)); err != nil || !slices.Equal(got, []float32{0.5, 0.25}) {
		t.Errorf("%v, %v", got, err)
	}
	if m, err := tr.Moment("head.last_layer.weight_v", "exp_avg", []int{2, 1}); m != nil || err != nil {
		t.Errorf("a frozen layer's moment is %v, %v", m, err)
	}
	if _, err := tr.Moment("backbone.w", "exp_avg", []int{2}); err == nil || !strings.Contains(err.Error(), `exp_avg of tensor "backbone.w" is F32 [2 1], the model needs floats [2]`) {
		t.Error(err)
	}
}

func TestTrainingRefuses(t *testing.T) {
	change := func(key string, v any) func(map[string]any) { return func(p map[string]any) { p[key] = v } }
	optimizer := func(f func(*pth.Dict)) func(map[string]any) {
		return func(p map[string]any) { f(p["optimizer"].(*pth.Dict)) }
	}
	params := func(group int, numbers ...any) func(map[string]any) {
		return optimizer(func(d *pth.Dict) {
			set(t, d.Get("param_groups").(*pth.List).Items[group].(*pth.Dict), "params", &pth.List{Items: numbers})
		})
	}
	for want, spoil := range map[string]func(map[string]any){
		`without "student"`:                                    change("student", nil),
		"number of epochs is missing":                          change("epoch", nil),
		"dino_loss with the center is missing":                 change("dino_loss", nil),
		"the center is missing":                                change("dino_loss", &pth.Dict{}),
		"optimizer's state is missing":                         change("optimizer", 3),
		"no state of two groups":                               change("optimizer", &pth.Dict{}),
		"group 0 holds 4 parameters, the student has 3 for it": params(0, 0, 1, 3, 4),
		"a parameter that is no number":                        params(1, "x"),
	} {
		parts := trainingParts(t)
		spoil(parts)
		if _, err := Open(training(t, parts)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	parts := trainingParts(t)
	state := parts["optimizer"].(*pth.Dict).Get("state").(*pth.Dict).Get(0).(*pth.Dict)
	for _, step := range []any{-1, 2.5, "x", nil} {
		set(t, state, "step", step)
		f := mustOpen(t, training(t, parts))
		if _, err := f.Training.Steps("backbone.w"); err == nil || !strings.Contains(err.Error(), `parameter "backbone.w"`) {
			t.Errorf("step %v: %v", step, err)
		}
	}
}
