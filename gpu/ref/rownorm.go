package ref

import "math"

// L2Norm is y = x / max(|x|, eps) for each row of x (rows, width).
func L2Norm(x []float64, width int, eps float64) (y []float64) {
	y = make([]float64, len(x))
	for at := 0; at < len(x); at += width {
		n := max(norm(x[at:at+width]), eps)
		for i := at; i < at+width; i++ {
			y[i] = x[i] / n
		}
	}
	return y
}

// L2NormBackward is dx = (dy - y (y·dy)) / |x|, or dy / eps where |x| <= eps.
func L2NormBackward(x, dy []float64, width int, eps float64) (dx []float64) {
	dx = make([]float64, len(x))
	for at := 0; at < len(x); at += width {
		n := norm(x[at : at+width])
		var along float64
		if n > eps {
			for i := at; i < at+width; i++ {
				along += x[i] * dy[i] / (n * n)
			}
		}
		for i := at; i < at+width; i++ {
			dx[i] = (dy[i] - along*x[i]) / max(n, eps)
		}
	}
	return dx
}

func norm(x []float64) float64 {
	var s float64
	for _, a := range x {
		s += a * a
	}
	return math.Sqrt(s)
}

// WeightNorm is w = g v / |v| for each row of v (rows, width), g (rows)
// (Salimans and Kingma, arXiv 1602.07868, equation 2).
func WeightNorm(v, g []float64) (w []float64) {
	width := len(v) / len(g)
	w = make([]float64, len(v))
	for r := range g {
		row := v[r*width : (r+1)*width]
		n := norm(row)
		for i, a := range row {
			w[r*width+i] = g[r] * a / n
		}
	}
	return w
}

// WeightNormBackward is dg = dw·v/|v|, dv = g/|v| (dw - dg v/|v|) (equation 3).
func WeightNormBackward(v, g, dw []float64) (dv, dg []float64) {
	width := len(v) / len(g)
	dv = make([]float64, len(v))
	dg = make([]float64, len(g))
	for r := range g {
		at := r * width
		n := norm(v[at : at+width])
		for i := at; i < at+width; i++ {
			dg[r] += dw[i] * v[i] / n
		}
		for i := at; i < at+width; i++ {
			dv[i] = g[r] / n * (dw[i] - dg[r]*v[i]/n)
		}
	}
	return dv, dg
}
