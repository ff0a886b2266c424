package ref

import "math"

// RGB is a picture of W x H pixels: 8-bit RGB, interleaved, row-major.
type RGB struct {
	W, H int
	Pix  []uint8
}

// NewRGB returns a black picture.
func NewRGB(w, h int) RGB { return RGB{w, h, make([]uint8, 3*w*h)} }

// At returns the three samples of pixel (x, y).
func (p RGB) At(x, y int) []uint8 {
	i := 3 * (y*p.W + x)
	return p.Pix[i : i+3]
}

// Crop copies the w x h pixels whose upper left corner is (x, y).
func (p RGB) Crop(x, y, w, h int) RGB {
	out := NewRGB(w, h)
	for r := range h {
		copy(out.Pix[3*r*w:3*(r+1)*w], p.Pix[3*((y+r)*p.W+x):])
	}
	return out
}

// Flip mirrors the picture left to right.
func (p RGB) Flip() RGB {
	out := NewRGB(p.W, p.H)
	for y := range p.H {
		for x := range p.W {
			copy(out.At(x, y), p.At(p.W-1-x, y))
		}
	}
	return out
}

// transpose swaps x and y.
func (p RGB) transpose() RGB {
	out := NewRGB(p.H, p.W)
	for y := range p.H {
		for x := range p.W {
			copy(out.At(y, x), p.At(x, y))
		}
	}
	return out
}

// Resize is Pillow's Image.resize with BICUBIC for 8-bit pictures, bit for bit:
// a = -0.5, antialiased when shrinking, 22-bit weights, the horizontal pass
// rounded to 8 bits before the vertical one.
func (p RGB) Resize(w, h int) RGB {
	return p.resizeColumns(w).transpose().resizeColumns(h).transpose()
}

func (p RGB) resizeColumns(w int) RGB {
	if w == p.W {
		return p
	}
	out := NewRGB(w, p.H)
	for x := range w {
		first, weights := BicubicWeights(p.W, w, x)
		for y := range p.H {
			for c := range 3 {
				sum := int32(1) << 21
				for k, weight := range weights {
					sum += weight * int32(p.At(first+k, y)[c])
				}
				out.At(x, y)[c] = uint8(min(max(sum>>22, 0), 255))
			}
		}
	}
	return out
}

// BicubicWeights are the 22-bit weights with which Pillow sums the samples
// first, first+1, ... of a line of in samples into sample x of out. It works in
// float64 as Pillow does (precompute_coeffs and normalize_coeffs_8bpc).
func BicubicWeights(in, out, x int) (first int, weights []int32) {
	scale := float64(in) / float64(out)
	filterScale := max(scale, 1)
	support := 2 * filterScale
	center := (float64(x) + 0.5) * scale
	first = max(int(center-support+0.5), 0)
	last := min(int(center+support+0.5), in)
	exact := make([]float64, last-first)
	sum := 0.0
	for k := range exact {
		exact[k] = bicubic((float64(k+first) - center + 0.5) / filterScale)
		sum += exact[k]
	}
	weights = make([]int32, len(exact))
	for k, e := range exact {
		weights[k] = int32(math.Round(e / sum * (1 << 22))) // half away from zero
	}
	return first, weights
}

// bicubic is the cubic convolution kernel with a = -0.5.
func bicubic(t float64) float64 {
	const a = -0.5
	t = math.Abs(t)
	switch {
	case t < 1:
		return float64(((a+2)*t-(a+3))*t*t) + 1
	case t < 2:
		return (((t-5)*t+8)*t - 4) * a
	}
	return 0
}
