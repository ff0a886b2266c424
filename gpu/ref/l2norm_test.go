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
