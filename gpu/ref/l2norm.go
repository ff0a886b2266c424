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
