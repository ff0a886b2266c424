package ref

import (
	"math"
	"testing"
)

// On the first step AdamW moves every parameter by lr against the sign of its
// gradient, after the decay.
func TestAdamWFirstStep(t *testing.T) {
	o := AdamW{LR: 0.01, Decay: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 0, Bias1: 1 - 0.9, Bias2: 1 - 0.999}
	p, g := []float64{1, -2}, []float64{3, -1e-3}
	o.Step(p, g, make([]float64, 2), make([]float64, 2))
	want := []float64{1*0.999 - 0.01, -2*0.999 + 0.01}
	for i := range p {
		if math.Abs(p[i]-want[i]) > 1e-15 {
			t.Errorf("p[%d] = %.17g, want %.17g", i, p[i], want[i])
		}
	}
}

// With a constant gradient the moment grows to g / (1 - momentum), and decay is
// part of the gradient.
func TestMomentumSteps(t *testing.T) {
	o := Momentum{LR: 0.5, Momentum: 0.75}
	p, m := []float64{8}, []float64{0}
	for i, want := range []float64{7, 5.25, 2.9375} { // less 1, 1.75, 2.3125
		if o.Step(p, []float64{2}, m); p[0] != want {
			t.Errorf("step %d: %g, want %g", i, p[0], want)
		}
	}
	o = Momentum{LR: 0.5, Decay: 0.25}
	p, m = []float64{8}, []float64{0}
	if o.Step(p, []float64{2}, m); p[0] != 6 || m[0] != 4 {
		t.Errorf("decay leads to %g with the moment %g", p[0], m[0])
	}
}

// LARS moves a tensor by lr·eta of its norm, however large its gradient is, and
// as SGD does where a norm is 0.
func TestLARSStep(t *testing.T) {
	o := Momentum{LR: 2, Momentum: 0.9, Eta: 0.25}
	for _, scale := range []float64{1e-3, 1, 1e3} {
		p, m := []float64{3, 4}, make([]float64, 2)
		o.Step(p, []float64{0, scale}, m)
		if math.Abs(p[0]-3) > 1e-15 || math.Abs(p[1]-1.5) > 1e-15 {
			t.Errorf("gradient %g leads to %v, want 3, 1.5", scale, p)
		}
	}
	p, m := []float64{0}, []float64{0}
	if o.Step(p, []float64{3}, m); p[0] != -6 {
		t.Errorf("0 goes to %g, want -6", p[0])
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct{ limit, want float64 }{{0, 5}, {6, 5}, {2, 2}} {
		g := []float64{3, 4}
		if n := Clip(g, c.limit); n != 5 {
			t.Errorf("norm %g", n)
		}
		if n := norm(g); math.Abs(n-c.want) > 1e-6 {
			t.Errorf("limit %g leaves norm %g, want %g", c.limit, n, c.want)
		}
	}
}

func TestEMA(t *testing.T) {
	teacher := []float64{1, 2}
	EMA(teacher, []float64{3, 6}, 0.75)
	if teacher[0] != 1.5 || teacher[1] != 3 {
		t.Errorf("teacher %v", teacher)
	}
}
