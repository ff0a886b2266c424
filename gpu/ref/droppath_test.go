package ref

import "testing"

func TestResidualBackward(t *testing.T) {
	const width, long, short = 3, 4, 2 // two sequences of 4 rows, three of 2
	seq := func(row int) int {
		if row < 2*long {
			return row / long
		}
		return 2 + (row-2*long)/short
	}
	n := (2*long + 3*short) * width
	x, branch, dy := normals(1, n), normals(2, n), normals(3, n)
	scale := []float64{0, 1.25, 1.25, 0, 1.25}
	f := func() float64 { return dot(Residual(x, branch, scale, width, seq), dy) }
	checkGradient(t, "branch", branch, ResidualBackward(dy, scale, width, seq), f)
	checkGradient(t, "x", x, dy, f)
}
