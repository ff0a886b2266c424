package ref

// Residual is y = x + scale[seq(row)] branch, x and branch (rows, width);
// seq numbers the sequence that a row belongs to.
func Residual(x, branch, scale []float64, width int, seq func(row int) int) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] + scale[seq(i/width)]*branch[i]
	}
	return y
}

// ResidualBackward gives the gradient of branch; that of x is dy itself.
func ResidualBackward(dy, scale []float64, width int, seq func(row int) int) (dbranch []float64) {
	dbranch = make([]float64, len(dy))
	for i := range dy {
		dbranch[i] = scale[seq(i/width)] * dy[i]
	}
	return dbranch
}
