package ref

import "math"

// Box is an extended box filter: Radius whole pixels on either side with
// weight Inner, one more with weight Outer, in 1/2^24.
type Box struct{ Radius, Inner, Outer uint32 }

// GaussianBox is the box that, applied three times, stands for a Gaussian of
// the given standard deviation in Pillow's GaussianBlur (Gwosdek, Grewenig,
// Bruhn and Weickert, "Theoretical foundations of Gaussian convolution by
// extended box filtering", 2011), with Pillow's float32 steps.
func GaussianBox(radius float32) Box {
	sigma2 := float32(radius*radius) / 3
	length := float32(math.Sqrt(12.0*float64(sigma2) + 1.0))
	l := float32(math.Floor((float64(length) - 1.0) / 2.0))
	inner := float32(l*float32(l+1)) - float32(3*sigma2)
	a := float32(float32(2*l)+1) * inner
	a /= float32(6 * float32(sigma2-float32(float32(l+1)*float32(l+1))))
	size := float32(l + a)
	b := Box{Radius: uint32(size)}
	b.Inner = uint32(float32(1<<24) / float32(float32(size*2)+1))
	b.Outer = (1<<24 - (2*b.Radius+1)*b.Inner) / 2
	return b
}

// Blur is Pillow's GaussianBlur(radius), bit for bit: three box blurs along x,
// then three along y, edges repeated, 8 bits after each.
func (p RGB) Blur(radius float32) RGB {
	box := GaussianBox(radius)
	for range 3 {
		p = p.boxBlur(box)
	}
	p = p.transpose()
	for range 3 {
		p = p.boxBlur(box)
	}
	return p.transpose()
}

// boxBlur filters along x.
func (p RGB) boxBlur(box Box) RGB {
	out := NewRGB(p.W, p.H)
	r := int(box.Radius)
	for y := range p.H {
		for x := range p.W {
			at := func(k, c int) uint32 { return uint32(p.At(min(max(x+k, 0), p.W-1), y)[c]) }
			for c := range 3 {
				var inner uint32
				for k := -r; k <= r; k++ {
					inner += at(k, c)
				}
				outer := at(-r-1, c) + at(r+1, c)
				out.At(x, y)[c] = uint8((box.Inner*inner + box.Outer*outer + 1<<23) >> 24)
			}
		}
	}
	return out
}
