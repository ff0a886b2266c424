package ref

import "testing"

func TestWeightNormBackward(t *testing.T) {
	const rows, width = 3, 5
	v, g, dw := normals(1, rows*width), normals(2, rows), normals(3, rows*width)
	dv, dg := WeightNormBackward(v, g, dw)
	f := func() float64 { return dot(WeightNorm(v, g), dw) }
	checkGradient(t, "v", v, dv, f)
	checkGradient(t, "g", g, dg, f)
}
