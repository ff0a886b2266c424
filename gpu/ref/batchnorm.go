package ref

import "math"

// BatchStatistics are mean, biased variance and 1/sqrt(var + eps) of each
// channel, a column of x (rows, width).
func BatchStatistics(x []float64, width int, eps float64) (mean, variance, rstd []float64) {
	mean, variance, rstd = make([]float64, width), make([]float64, width), make([]float64, width)
	rows := float64(len(x) / width)
	for i, a := range x {
		mean[i%width] += a / rows
	}
	for i, a := range x {
		d := a - mean[i%width]
		variance[i%width] += d * d / rows
	}
	for c, v := range variance {
		rstd[c] = 1 / math.Sqrt(v+eps)
	}
	return mean, variance, rstd
}

// BatchNorm is (x - mean) rstd gamma + beta by channel.
func BatchNorm(x, gamma, beta, mean, rstd []float64) []float64 {
	z, width := make([]float64, len(x)), len(gamma)
	for i, a := range x {
		c := i % width
		z[i] = (a-mean[c])*rstd[c]*gamma[c] + beta[c]
	}
	return z
}

// BatchNormBackward gives the gradients for the gradient dz of BatchNorm of the
// batch's own statistics.
func BatchNormBackward(x, gamma, mean, rstd, dz []float64) (dx, dgamma, dbeta []float64) {
	width := len(gamma)
	rows := float64(len(x) / width)
	dx, dgamma, dbeta = make([]float64, len(x)), make([]float64, width), make([]float64, width)
	for i, d := range dz {
		c := i % width
		dgamma[c] += d * (x[i] - mean[c]) * rstd[c]
		dbeta[c] += d
	}
	for i, d := range dz {
		c := i % width
		xhat := (x[i] - mean[c]) * rstd[c]
		dx[i] = gamma[c] * rstd[c] * (d - (dbeta[c]+xhat*dgamma[c])/rows)
	}
	return dx, dgamma, dbeta
}

// ReLU is max(x, 0) and its derivative, 0 at 0.
func ReLU(x float64) (y, slope float64) {
	if x > 0 {
		return x, 1
	}
	return 0, 0
}
