package op

import "dino-vk/gpu"

var transposeKernel = gpu.Plain("transpose")

// transpose records
//
//	y[i][c][d] = sum_s x[s][i][d][c], x (slots, n, rows, columns), y (n, outRows, outColumns),
//
// zero where x has no row d or no column c; with accumulate it adds to y.
func transpose(g *gpu.Graph, y, x *gpu.Tensor, accumulate bool) {
	if g.Err() != nil {
		return
	}
	slots, n, rows, columns := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	type push struct{ Count, Rows, Columns, OutRows, OutColumns, Slots uint32 }
	p := push{uint32(n), uint32(rows), uint32(columns), uint32(y.Dim(1)), uint32(y.Dim(2)), uint32(slots)}
	sh := g.Pick(transposeKernel, x)
	if accumulate {
		sh = sh.With("ACCUMULATE", 1)
	}
	if slots > 1 { // whose matrices don't lie together
		g.Dispatch(sh, grid(g, ceilDiv(y.Len(), 4), 64), p, x, y)
		return
	}
	x = x.Reshape(n, rows, columns)
	for _, s := range cuts(g, n, rows*columns, y.Dim(1)*y.Dim(2)) {
		p.Count = uint32(s.n)
		g.Dispatch(sh, grid(g, ceilDiv(s.of(y).Len(), 4), 64), p, s.of(x), s.of(y))
	}
}

// NHWC moves the channels of images (N, C, H, W) last: (N, H, W, C).
func NHWC(t *Tape, images *gpu.Tensor) *gpu.Tensor {
	g := t.G
	if len(images.Shape) != 4 {
		g.Errorf("NHWC of %v", images)
		return images
	}
	n, c, h, w := images.Dim(0), images.Dim(1), images.Dim(2), images.Dim(3)
	y := g.New("nhwc", gpu.F32, n, h, w, c)
	transpose(g, y.Reshape(n, h*w, c), images.Reshape(1, n, c, h*w), false)
	t.Push(y, func(dy *gpu.Tensor) {
		if dx, accumulate := t.Grad(images); dx != nil {
			transpose(g, dx.Reshape(n, c, h*w), dy.Reshape(1, n, h*w, c), accumulate)
		}
	}, images)
	return y
}
