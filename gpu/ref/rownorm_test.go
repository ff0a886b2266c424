package ref

import "testing"

func TestL2NormBackward(t *testing.T) {
	const rows, width = 4, 5
	const eps = 1.0 // large, so that one row lies below it
	x, dy := normals(1, rows*width), normals(2, rows*width)
	for i := range width {
		x[i] *= 0.1
	}
	dx := L2NormBackward(x, dy, width, eps)
	checkGradient(t, "x", x, dx, func() float64 { return dot(L2Norm(x, width, eps), dy) })
}
func TestWeightNormBackward(t *testing.T) {
	const rows, width = 3, 5
	v, g, dw := normals(1, rows*width), normals(2, rows), normals(3, rows*width)
	dv, dg := WeightNormBackward(v, g, dw)
	f := func() float64 { return dot(WeightNorm(v, g), dw) }
	checkGradient(t, "v", v, dv, f)
	checkGradient(t, "g", g, dg, f)
}
