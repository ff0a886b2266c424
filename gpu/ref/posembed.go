package ref

import "math"

// PosEmbed interpolates a position embedding (1+side², width) to a grid of
// rows x cols cells as the reference does: cubic convolution of A = -3/4 at
// the source coordinates (i+1/2)/s - 1/2 with s = (n+0.1)/side, borders
// repeated; the row of CLS passes through.
func PosEmbed(pos []float64, side, rows, cols, width int) []float64 {
	y := append([]float64{}, pos[:width]...)
	y = append(y, make([]float64, rows*cols*width)...)
	eachTap(side, rows, cols, func(cell, source int, weight float64) {
		for d := range width {
			y[cell*width+d] += weight * pos[source*width+d]
		}
	})
	return y
}

// PosEmbedBackward gives the gradient of pos.
func PosEmbedBackward(dy []float64, side, rows, cols, width int) []float64 {
	dpos := append([]float64{}, dy[:width]...)
	dpos = append(dpos, make([]float64, side*side*width)...)
	eachTap(side, rows, cols, func(cell, source int, weight float64) {
		for d := range width {
			dpos[source*width+d] += weight * dy[cell*width+d]
		}
	})
	return dpos
}

// eachTap visits the 16 source tokens that each output token reads.
func eachTap(side, rows, cols int, f func(cell, source int, weight float64)) {
	for i := range rows {
		for j := range cols {
			for y, wy := range cubicTaps(i, side, rows) {
				for x, wx := range cubicTaps(j, side, cols) {
					if w := wy * wx; w != 0 {
						f(1+i*cols+j, 1+y*side+x, w)
					}
				}
			}
		}
	}
}

// cubicTaps is the weight of every source cell in output cell i of n.
func cubicTaps(i, side, n int) []float64 {
	const a = -0.75
	kernel := func(x float64) float64 {
		switch x = math.Abs(x); {
		case x <= 1:
			return (a+2)*x*x*x - (a+3)*x*x + 1
		case x < 2:
			return a * (x*x*x - 5*x*x + 8*x - 4)
		}
		return 0
	}
	at := (float64(i)+0.5)*float64(side)/(float64(n)+0.1) - 0.5
	low := math.Floor(at)
	w := make([]float64, side)
	for k := -1.0; k <= 2; k++ {
		w[min(max(int(low+k), 0), side-1)] += kernel(at - low - k)
	}
	return w
}
