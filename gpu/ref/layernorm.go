package ref

import "math"

// LayerNorm is y = (x - mean) rstd gamma + beta for each row of x (rows,
// width), rstd = 1/sqrt(var + eps) with the biased variance.
func LayerNorm(x, gamma, beta []float64, eps float64) (y, mean, rstd []float64) {
	width := len(gamma)
	y = make([]float64, len(x))
	for at := 0; at < len(x); at += width {
		row := x[at : at+width]
		var m, v float64
		for _, a := range row {
			m += a / float64(width)
		}
		for _, a := range row {
			v += (a - m) * (a - m) / float64(width)
		}
		r := 1 / math.Sqrt(v+eps)
		for i, a := range row {
			y[at+i] = (a-m)*r*gamma[i] + beta[i]
		}
		mean = append(mean, m)
		rstd = append(rstd, r)
	}
	return y, mean, rstd
}

// LayerNormBackward gives the gradients of LayerNorm for the gradient dy of y.
func LayerNormBackward(x, gamma, mean, rstd, dy []float64) (dx, dgamma, dbeta []float64) {
	width := len(gamma)
	dx = make([]float64, len(x))
	dgamma = make([]float64, width)
	dbeta = make([]float64, width)
	for r := range mean {
		at := r * width
		var a, b float64 // means of dy gamma and of dy gamma xhat
		for i := range width {
			xhat := (x[at+i] - mean[r]) * rstd[r]
			a += dy[at+i] * gamma[i] / float64(width)
			b += dy[at+i] * gamma[i] * xhat / float64(width)
			dgamma[i] += dy[at+i] * xhat
			dbeta[i] += dy[at+i]
		}
		for i := range width {
			xhat := (x[at+i] - mean[r]) * rstd[r]
			dx[at+i] = rstd[r] * (dy[at+i]*gamma[i] - a - xhat*b)
		}
	}
	return dx, dgamma, dbeta
}
