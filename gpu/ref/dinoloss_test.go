package ref

import (
	"fmt"
	"math"
	"testing"
)

func TestDINOLossGradient(t *testing.T) {
	const batch, k = 2, 5
	for _, crops := range []int{2, 5} {
		t.Run(fmt.Sprint(crops), func(t *testing.T) {
			student, teacher := normals(1, crops*batch*k), normals(2, 2*batch*k)
			center := normals(3, k)
			f := func() float64 { return DINOLoss(student, teacher, center, batch, 0.7, 0.4).Loss }
			res := DINOLoss(student, teacher, center, batch, 0.7, 0.4)
			checkGradient(t, "student", student, res.DStudent, f)
		})
	}
}

// Where student and teacher agree on uniform distributions the loss is the
// entropy ln K, and nothing pulls.
func TestDINOLossUniform(t *testing.T) {
	const batch, crops, k = 2, 4, 6
	res := DINOLoss(make([]float64, crops*batch*k), make([]float64, 2*batch*k), make([]float64, k), batch, 0.1, 0.04)
	if math.Abs(res.Loss-math.Log(k)) > 1e-14 || math.Abs(res.Entropy-math.Log(k)) > 1e-14 || math.Abs(res.KL) > 1e-14 {
		t.Errorf("loss %g, entropy %g, KL %g: want ln %d, the same, 0", res.Loss, res.Entropy, res.KL, k)
	}
	for i, d := range res.DStudent {
		if math.Abs(d) > 1e-15 {
			t.Fatalf("gradient[%d] = %g", i, d)
		}
	}
}

func TestCenter(t *testing.T) {
	got := Center([]float64{1, 2}, []float64{3, 4, 5, 8}, 0.75)
	if got[0] != 0.75+0.25*4 || got[1] != 1.5+0.25*6 {
		t.Errorf("center %v", got)
	}
}
