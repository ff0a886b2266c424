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
