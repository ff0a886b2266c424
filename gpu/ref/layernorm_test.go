package ref

import "testing"

func TestLayerNormBackward(t *testing.T) {
	const rows, width, eps = 3, 7, 1e-6
	x, gamma, beta := normals(1, rows*width), normals(2, width), normals(3, width)
	dy := normals(4, rows*width)
	_, mean, rstd := LayerNorm(x, gamma, beta, eps)
	dx, dgamma, dbeta := LayerNormBackward(x, gamma, mean, rstd, dy)
	f := func() float64 {
		y, _, _ := LayerNorm(x, gamma, beta, eps)
		return dot(y, dy)
	}
	checkGradient(t, "x", x, dx, f)
	checkGradient(t, "gamma", gamma, dgamma, f)
	checkGradient(t, "beta", beta, dbeta, f)
}
