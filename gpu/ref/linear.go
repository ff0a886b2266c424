package ref

import "math"

// MatMul is c = op(a) op(b) for row-major matrices: op(a) (m, k), op(b)
// (k, n); op transposes where told, so that a is stored (k, m), b (n, k). The
// second result is the same product of the absolute values, which bounds the
// rounding error of the first.
func MatMul(a, b []float64, m, n, k int, transA, transB bool) (c, abs []float64) {
	rowA, colA, rowB, colB := k, 1, n, 1
	if transA {
		rowA, colA = 1, m
	}
	if transB {
		rowB, colB = 1, k
	}
	c, abs = make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for p := range k {
			x := a[i*rowA+p*colA]
			for j := range n {
				y := x * b[p*rowB+j*colB]
				c[i*n+j] += y
				abs[i*n+j] += math.Abs(y)
			}
		}
	}
	return c, abs
}

// NormalCDF is Phi, the distribution function of the standard normal.
func NormalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// GELU is y = x Phi(x) and its derivative Phi(x) + x phi(x).
func GELU(x float64) (y, slope float64) {
	cdf := NormalCDF(x)
	return x * cdf, cdf + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

// Linear is y = x w^T + b: x (rows, in), w (out, in), b (out).
func Linear(x, w, b []float64) (y []float64) {
	out := len(b)
	in := len(w) / out
	y, _ = MatMul(x, w, len(x)/in, out, in, false, true)
	for i := range y {
		y[i] += b[i%out]
	}
	return y
}

// LinearBackward gives the gradients of Linear for the gradient dy of y.
func LinearBackward(x, w, dy []float64, out int) (dx, dw, db []float64) {
	in := len(w) / out
	rows := len(x) / in
	dx, _ = MatMul(dy, w, rows, in, out, false, false)
	dw, _ = MatMul(dy, x, out, in, rows, true, false)
	return dx, dw, ColSum(dy, out)
}

// ColSum sums the columns of x (rows, columns).
func ColSum(x []float64, columns int) (sum []float64) {
	sum = make([]float64, columns)
	for i, a := range x {
		sum[i%columns] += a
	}
	return sum
}
