package op

import "dino-vk/gpu"

// Concat puts the rows of matrices (n_i, D) one behind another: (n, D), n of all
// together.
func Concat(t *Tape, xs ...*gpu.Tensor) *gpu.Tensor {
	if t.G.Err() != nil || len(xs) == 1 {
		return xs[0]
	}
	g, rows, width := t.G, 0, xs[0].Dim(-1)
	for _, x := range xs {
		if len(x.Shape) != 2 || x.Dim(1) != width {
			g.Errorf("concat of %v", xs)
			return xs[0]
		}
		rows += x.Dim(0)
	}
	y := g.New("concat", gpu.F32, rows, width)
	row := 0
	for _, x := range xs {
		// Rows are sequences of one token, of which the first is taken.
		push := struct{ Start, First, Sequences, Length, Width uint32 }{0, uint32(row), uint32(x.Dim(0)), 1, uint32(width)}
		g.Dispatch(g.Pick(clsFwd, nil), grid(g, x.Len(), 64), push, x, y)
		row += x.Dim(0)
	}
	t.Push(y, func(dy *gpu.Tensor) {
		row := 0
		for _, x := range xs {
			if dx, accumulate := t.Grad(x); dx != nil {
				push := struct{ Start, First, Sequences, Length, Width, Accumulate uint32 }{
					0, uint32(row), uint32(x.Dim(0)), 1, uint32(width), bit(accumulate),
				}
				g.Dispatch(g.Pick(clsBwd, nil), grid(g, x.Len(), 64), push, dy, dx)
			}
			row += x.Dim(0)
		}
	}, xs...)
	return y
}
