package ref

// Conv is a two-dimensional convolution without bias of images x (N, H, W, Ci)
// with w (Co, Ci, Kh, Kw), as torch.nn.functional.conv2d with x and y
// channels-last:
//
//	y[n, i, j, o] = sum_{c, v, u} x[n, i Stride - Pad + v, j Stride - Pad + u, c] w[o, c, v, u],
//
// x being zero outside.
type Conv struct{ N, H, W, Ci, Co, Kh, Kw, Stride, Pad int }

// Out is the height and width of y.
func (c Conv) Out() (height, width int) {
	return (c.H+2*c.Pad-c.Kh)/c.Stride + 1, (c.W+2*c.Pad-c.Kw)/c.Stride + 1
}

// Forward is y (N, height, width, Co).
func (c Conv) Forward(x, w []float64) (y []float64) {
	height, width := c.Out()
	y = make([]float64, c.N*height*width*c.Co)
	c.each(func(atY, atX, atW int) { y[atY] += x[atX] * w[atW] })
	return y
}

// Backward gives the gradients of x and w for the gradient dy of y.
func (c Conv) Backward(x, w, dy []float64) (dx, dw []float64) {
	dx, dw = make([]float64, len(x)), make([]float64, len(w))
	c.each(func(atY, atX, atW int) {
		dx[atX] += dy[atY] * w[atW]
		dw[atW] += dy[atY] * x[atX]
	})
	return dx, dw
}

// each visits the products that make y.
func (c Conv) each(f func(atY, atX, atW int)) {
	height, width := c.Out()
	c.windows(height, width, c.Kh, c.Kw, func(cell, pixel, v, u int) {
		for o := range c.Co {
			for i := range c.Ci {
				f(cell*c.Co+o, pixel*c.Ci+i, ((o*c.Ci+i)*c.Kh+v)*c.Kw+u)
			}
		}
	})
}

// windows visits the pixels of each cell's window that lie inside the image.
func (c Conv) windows(height, width, kh, kw int, f func(cell, pixel, v, u int)) {
	for n := range c.N {
		for i := range height {
			for j := range width {
				for v := range kh {
					for u := range kw {
						y, x := i*c.Stride-c.Pad+v, j*c.Stride-c.Pad+u
						if y >= 0 && y < c.H && x >= 0 && x < c.W {
							f((n*height+i)*width+j, (n*c.H+y)*c.W+x, v, u)
						}
					}
				}
			}
		}
	}
}
