package bench

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

func TestPairGoals(t *testing.T) {
	pair := func(recipe, operation, shape, pass string, typ gpu.Type, times int, ours, theirs float64) Pair {
		return Pair{Recipe: recipe, Operation: operation, Shape: shape, Pass: pass, Type: torchTypes[typ], Times: times, Ours: ours, Best: theirs}
	}
	list := []Pair{
		pair("", "product", cube(1024).shape, "forward", gpu.F32, 1, 4, 2),
		pair("r", "qkv: y", "", "forward", gpu.F32, 2, 1, 3),
		pair("r", "fc1: dw", "", "forward", gpu.F32, 1, 2, 2),
		pair("r", "qkv", "", "forward", gpu.F32, 2, 1, 1),
		pair("r", "qkv", "", "backward", gpu.F32, 2, 1, 3),
		pair("r", "layer norm", "", "forward", gpu.F32, 9, 9, 1),
		pair("r", "attention", "long", "forward", gpu.F32, 2, 2, 1),
		pair("r", "attention", "short", "forward", gpu.F32, 2, 2, 9),
		pair("r", "attention", "long", "backward", gpu.F32, 2, 4, 1),
		pair("r", "attention", "long", "forward", gpu.BF16, 2, 1, 1),
		pair("s", "qkv", "", "forward", gpu.F32, 2, 100, 1),
	}
	want := []Goal{{"gemm-1024", 0.5}, {"gemm-model", 2}, {"gemm-r", 2}, {"attention-forward", 0.5}, {"attention-backward", 0.25}}
	check := func(kind gpu.Kind, want []Goal) {
		t.Helper()
		got := map[Goal]bool{}
		for _, g := range PairGoals(kind, "r", list) {
			got[g] = true
		}
		for _, g := range want {
			if !got[g] {
				t.Errorf("%v: no %v in %v", kind, g, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%v: %v, want %v", kind, got, want)
		}
	}
	for i := range want {
		want[i].Name += "-fp32"
	}
	check(gpu.Discrete, append(want, Goal{"attention-forward", 1}))
	list = list[:9]
	for i := range want {
		want[i].Name = want[i].Name[:len(want[i].Name)-len("-fp32")]
	}
	check(gpu.CPU, want)
}

func TestStepGoals(t *testing.T) {
	for variant, want := range map[string]Goal{Plain: {"step", 0.5}, Eager: {"step-eager", 0.5}} {
		p := PyTorch{Variant: variant, Ours: 6, Theirs: 12}
		if got := p.Goal(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		if got, want := p.Speed(), (Goal{"images-per-second", 6}); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestDeviation checks the distance of step times from a line.
func TestDeviation(t *testing.T) {
	steps := func(times ...float64) (list []SizeTime) {
		for i, ms := range times {
			list = append(list, SizeTime{GFLOP: math.Exp2(float64(i)), Milliseconds: ms})
		}
		return list
	}
	for _, c := range []struct {
		name      string
		list      []SizeTime
		low, high float64
	}{
		{"one", steps(7), 0, 1e-12},
		{"proportional", steps(3, 6, 12, 24), 0, 1e-12},
		{"with a constant", steps(11, 12, 14, 18), 0, 1e-9},
		{"a tenth off", steps(10, 20, 40, 88), 0.05, 0.1},
		{"quadratic", steps(1, 4, 16, 64), 0.5, 10},
		{"constant", steps(5, 5, 5, 5), 0, 1},
	} {
		if got := deviation(c.list); !(got >= c.low && got <= c.high) {
			t.Errorf("%s: %g, want %g to %g", c.name, got, c.low, c.high)
		}
	}
}

func TestMeasureHost(t *testing.T) {
	h, err := MeasureHost(context.Background(), gputest.Open(t), tiny(), once)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(h)
	if h.Submits != 1 || !(h.Milliseconds.Median > 0) || !(h.Idle >= 0 && h.Idle < 1) || h.Count != 1 {
		t.Errorf("%+v", h)
	}
}

func TestMeasureGrowth(t *testing.T) {
	var told int
	list, err := MeasureGrowth(context.Background(), gputest.Open(t), tiny(), time.Nanosecond, once, func(SizeTime) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Of != GrowthBatch || list[1].Of != GrowthTokens || told != 2 {
		t.Fatalf("%+v, %d told", list, told)
	}
	if b, k := list[0].Steps[0], list[1].Steps[0]; b.Batch != 1 || b.Tokens != 65 || k.Tokens != 65 || !(b.Milliseconds > 0) || !(k.GFLOP > 0) {
		t.Errorf("%v, %v", b, k)
	}
}

func TestMeasureCopies(t *testing.T) {
	list, err := measureCopies(context.Background(), gputest.Open(t), sizesOf(tiny().Config), 1<<10, Peaks{GBs: 1}, once)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, g := range list {
		names[g.Name] = g.Value > 0
	}
	for _, name := range []string{"layernorm-copy", "softmax-copy", "loss-copy", "adamw-copy"} {
		if !names[name] {
			t.Errorf("no %s in %v", name, list)
		}
	}
}

// TestCompareKernels times tiny operations here and in PyTorch, where there is
// one: all that PyTorch has, forward and backward.
func TestCompareKernels(t *testing.T) {
	c := Comparison{Python: []string{"python3", "/usr/bin/python3"}, Rounds: 1}
	low := Peaks{GFLOPs: 1e-9, GBs: 1e-9} // so that the batch becomes one image
	told := 0
	var list []Pair
	err := c.CompareKernels(context.Background(), gputest.Open(t), tiny(), low, time.Second, Effort{Least: 1, Most: 1, Time: time.Millisecond}, func(Pair) { told++ }, func(all []Pair) error {
		list = append(list, all...)
		return nil
	})
	if errors.Is(err, ErrNoPyTorch) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	passes := map[string]bool{}
	for _, p := range list {
		passes[p.Operation+" "+p.Pass] = true
		if !(p.Ours > 0 && p.Best > 0 && p.Plain >= p.Best) || p.How == "" {
			t.Errorf("%+v", p)
		}
	}
	for _, want := range []string{
		"product forward", "fc2: dw forward", "qkv backward", "fc1 + GELU backward", "fc2 + residual backward", "attention backward",
		"layer norm backward", "loss and its gradient forward", "AdamW + teacher forward",
	} {
		if !passes[want] {
			t.Errorf("no %s", want)
		}
	}
	if told != len(list) {
		t.Errorf("told of %d of %d", told, len(list))
	}
}
