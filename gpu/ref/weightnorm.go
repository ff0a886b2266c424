package ref

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
