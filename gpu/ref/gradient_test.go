package ref

import (
	"math"
	"math/rand/v2"
	"testing"
)

// normals draws n standard normal numbers.
func normals(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// dot is the scalar product.
func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// checkGradient compares dx with central differences of f, a scalar function
// that reads x. The step 1e-5 leaves an error of about 1e-10 by truncation
// and 1e-11/|f| by rounding.
func checkGradient(t *testing.T, name string, x, dx []float64, f func() float64) {
	t.Helper()
	if len(x) != len(dx) {
		t.Fatalf("%s: %d values, %d derivatives", name, len(x), len(dx))
	}
	const h = 1e-5
	for i, x0 := range x {
		x[i] = x0 + h
		up := f()
		x[i] = x0 - h
		down := f()
		x[i] = x0
		want := (up - down) / (2 * h)
		if math.Abs(dx[i]-want) > 1e-6*max(1, math.Abs(want)) {
			t.Errorf("%s[%d]: derivative %g, differences give %g", name, i, dx[i], want)
		}
	}
}
