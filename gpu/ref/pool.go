package ref

import "math"

// Pool describes max pooling of images (N, H, W, C): windows of Size x Size
// pixels, as torch.nn.MaxPool2d with x and y channels-last. Padding is -Inf.
type Pool struct{ N, H, W, C, Size, Stride, Pad int }

// conv is the convolution with the same windows.
func (p Pool) conv() Conv {
	return Conv{p.N, p.H, p.W, p.C, p.C, p.Size, p.Size, p.Stride, p.Pad}
}

// Forward is y (N, height, width, C) and of each element the index of the
// pixel's element in x that it is: the first maximum in the order of the
// window's rows, or the last NaN if there is one.
func (p Pool) Forward(x []float64) (y []float64, from []int) {
	height, width := p.conv().Out()
	y, from = make([]float64, p.N*height*width*p.C), make([]int, p.N*height*width*p.C)
	for i := range y {
		y[i], from[i] = math.Inf(-1), -1
	}
	p.conv().windows(height, width, p.Size, p.Size, func(cell, pixel, _, _ int) {
		for c := range p.C {
			at, v := cell*p.C+c, x[pixel*p.C+c]
			if from[at] < 0 || v > y[at] || math.IsNaN(v) {
				y[at], from[at] = v, pixel*p.C+c
			}
		}
	})
	return y, from
}

// Backward gives the gradient of x.
func (p Pool) Backward(x, dy []float64) (dx []float64) {
	dx = make([]float64, len(x))
	_, from := p.Forward(x)
	for i, at := range from {
		dx[at] += dy[i]
	}
	return dx
}

// AvgPool is the mean over the pixels of each image: x (n, pixels, c), y (n, c).
func AvgPool(x []float64, n, pixels, c int) (y []float64) {
	y = make([]float64, n*c)
	for i, v := range x {
		y[i/(pixels*c)*c+i%c] += v / float64(pixels)
	}
	return y
}

// AvgPoolBackward gives the gradient of x.
func AvgPoolBackward(dy []float64, n, pixels, c int) (dx []float64) {
	dx = make([]float64, n*pixels*c)
	for i := range dx {
		dx[i] = dy[i/(pixels*c)*c+i%c] / float64(pixels)
	}
	return dx
}
