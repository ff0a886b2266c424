package ref

import "testing"

func TestBatchNormBackward(t *testing.T) {
	const rows, width, eps = 5, 3, 1e-5
	x, gamma, beta := normals(1, rows*width), normals(2, width), normals(3, width)
	dz := normals(4, rows*width)
	mean, _, rstd := BatchStatistics(x, width, eps)
	dx, dgamma, dbeta := BatchNormBackward(x, gamma, mean, rstd, dz)
	f := func() float64 {
		mean, _, rstd := BatchStatistics(x, width, eps)
		return dot(BatchNorm(x, gamma, beta, mean, rstd), dz)
	}
	checkGradient(t, "x", x, dx, f)
	checkGradient(t, "gamma", gamma, dgamma, f)
	checkGradient(t, "beta", beta, dbeta, f)
}

func TestReLUSlope(t *testing.T) {
	x := normals(1, 9)
	slopes := make([]float64, len(x))
	for i, v := range x {
		_, slopes[i] = ReLU(v)
	}
	checkGradient(t, "x", x, slopes, func() float64 {
		var sum float64
		for _, v := range x {
			y, _ := ReLU(v)
			sum += y
		}
		return sum
	})
}
