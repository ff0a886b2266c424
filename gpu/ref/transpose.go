package ref

// NHWC moves the channels of images (n, c, pixels) last: (n, pixels, c). Its
// backward is NHWC with c and pixels exchanged.
func NHWC(x []float64, n, c, pixels int) (y []float64) {
	y = make([]float64, len(x))
	for i := range n {
		for k := range c {
			for p := range pixels {
				y[(i*pixels+p)*c+k] = x[(i*c+k)*pixels+p]
			}
		}
	}
	return y
}
