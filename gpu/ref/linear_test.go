package ref

import (
	"math"
	"testing"
)

// The transposed forms equal the plain product of explicitly transposed
// matrices.
func TestMatMulTransposed(t *testing.T) {
	const m, n, k = 3, 5, 4
	a, b := normals(1, m*k), normals(2, k*n)
	want, _ := MatMul(a, b, m, n, k, false, false)
	at, bt := transpose(a, m, k), transpose(b, k, n)
	for _, c := range []struct {
		a, b           []float64
		transA, transB bool
	}{{at, b, true, false}, {a, bt, false, true}, {at, bt, true, true}} {
		got, _ := MatMul(c.a, c.b, m, n, k, c.transA, c.transB)
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-14 {
				t.Errorf("transposed %v, %v: element %d is %g, want %g", c.transA, c.transB, i, got[i], want[i])
			}
		}
	}
}

func transpose(x []float64, rows, columns int) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i%columns*rows+i/columns] = x[i]
	}
	return y
}

func TestLinearBackward(t *testing.T) {
	const rows, in, out = 4, 3, 5
	x, w, b, dy := normals(1, rows*in), normals(2, out*in), normals(3, out), normals(4, rows*out)
	dx, dw, db := LinearBackward(x, w, dy, out)
	f := func() float64 { return dot(Linear(x, w, b), dy) }
	checkGradient(t, "x", x, dx, f)
	checkGradient(t, "w", w, dw, f)
	checkGradient(t, "b", b, db, f)
}

func TestGELUSlope(t *testing.T) {
	x, slope := []float64{-8, -3, -0.7, 0, 0.3, 1, 5}, []float64(nil)
	for _, v := range x {
		_, s := GELU(v)
		slope = append(slope, s)
	}
	checkGradient(t, "x", x, slope, func() float64 {
		var sum float64
		for _, v := range x {
			y, _ := GELU(v)
			sum += y
		}
		return sum
	})
}
