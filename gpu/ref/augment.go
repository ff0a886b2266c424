package ref

import "math"

// Crop says how one crop is made, as the struct of that name in
// shaders/include/augment.glsl.
type Crop struct {
	Image                                uint32
	X, Y, W, H                           uint32
	ResizedW, ResizedH, WindowX, WindowY uint32
	Flags, Order                         uint32
	Brightness, Contrast, Saturation     float32
	Hue                                  float32
	Radius                               float32
}

// Bits of Crop.Flags.
const (
	CropFlip = 1 << iota
	CropJitter
	CropGray
	CropBlur
	CropSolarize
)

// Render makes the width x height crop of a picture, exactly as Pillow and
// torchvision do.
func (c Crop) Render(p RGB, width, height int) RGB {
	p = p.Crop(int(c.X), int(c.Y), int(c.W), int(c.H)).Resize(int(c.ResizedW), int(c.ResizedH))
	p = p.Crop(int(c.WindowX), int(c.WindowY), width, height)
	if c.Flags&CropFlip != 0 {
		p = p.Flip()
	}
	if c.Flags&CropJitter != 0 {
		for i := range 4 {
			switch c.Order >> (4 * i) & 15 {
			case 0:
				p = p.Brightness(c.Brightness)
			case 1:
				p = p.Contrast(c.Contrast)
			case 2:
				p = p.Saturation(c.Saturation)
			case 3:
				p = p.Hue(c.Hue)
			}
		}
	}
	if c.Flags&CropGray != 0 {
		p = p.Grayscale()
	}
	if c.Flags&CropBlur != 0 {
		p = p.Blur(c.Radius)
	}
	if c.Flags&CropSolarize != 0 {
		p = p.Solarize()
	}
	return p
}

// Normalized is ToTensor and Normalize with ImageNet's mean and deviation:
// (3, H, W).
func (p RGB) Normalized() []float64 {
	mean, std := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
	n := p.W * p.H
	out := make([]float64, 3*n)
	for i, v := range p.Pix {
		c := i % 3
		out[c*n+i/3] = (float64(v)/255 - mean[c]) / std[c]
	}
	return out
}

// CropLaw is the distribution that a crop is drawn from.
type CropLaw struct {
	Size                               uint32
	Scale, ScaleSpan                   float32 // smallest share of the picture's area; largest - smallest
	Flip, Jitter, Gray, Blur, Solarize float32 // probabilities
	Brightness, Contrast, Saturation   float32 // greatest distance from 1
	Hue                                float32 // greatest distance from 0
}

// What the last word of the Philox counter says is drawn.
const (
	drawFlags = iota
	drawOrder
	drawFactors
	drawBox // and up, one for each attempt
)

// Draw draws a crop of a width x height picture as augment_params does, bit for
// bit.
func (law CropLaw) Draw(seed [2]uint32, epoch, id, crop, width, height uint32) Crop {
	draw := func(purpose uint32) [4]uint32 { return Philox(seed, [4]uint32{id, epoch, crop, purpose}) }
	around := func(center, spread float32, word uint32) float32 {
		lowest := float32(center - spread)
		return lowest + float32(float32(2*spread)*PhiloxUniform(word))
	}
	c := law.drawBox(draw, width, height)
	c.ResizedW, c.ResizedH = law.Size, law.Size
	r := draw(drawFlags)
	for i, p := range []float32{law.Flip, law.Jitter, law.Gray, law.Blur} {
		if PhiloxUniform(r[i]) < p {
			c.Flags |= 1 << i
		}
	}
	r = draw(drawOrder)
	if PhiloxUniform(r[0]) < law.Solarize {
		c.Flags |= CropSolarize
	}
	c.Order = Permutation(PhiloxBelow(r[1], 24))
	for i := range 4 {
		if law.Hue == 0 && c.Order>>(4*i)&15 == 3 {
			c.Order += 1 << (4 * i) // nothing in hue's place
		}
	}
	c.Radius = 0.1 + float32(1.9*PhiloxUniform(r[2]))
	c.Hue = around(0, law.Hue, r[3])
	r = draw(drawFactors)
	c.Brightness = around(1, law.Brightness, r[0])
	c.Contrast = around(1, law.Contrast, r[1])
	c.Saturation = around(1, law.Saturation, r[2])
	return c
}

func (law CropLaw) drawBox(draw func(uint32) [4]uint32, width, height uint32) Crop {
	const logRatio = 0.28768207245178096 // log(4/3)
	for attempt := range uint32(10) {
		r := draw(drawBox + attempt)
		share := law.Scale + float32(law.ScaleSpan*PhiloxUniform(r[0]))
		ratio := float32(2*float32(logRatio)*PhiloxUniform(r[1])) - float32(logRatio)
		w, h := CropSize(width, height, share, ratio)
		if w > 0 && w <= width && h > 0 && h <= height {
			return Crop{X: PhiloxBelow(r[3], width-w+1), Y: PhiloxBelow(r[2], height-h+1), W: w, H: h}
		}
	}
	return CentralCrop(width, height)
}

// CropSize is the box of RandomResizedCrop for a share of the area and a
// logarithm of the aspect ratio, with roundings that every device repeats.
func CropSize(width, height uint32, share, logRatio float32) (w, h uint32) {
	target := float32(float32(width*height) * share)
	w = roundedRoot(float32(target * exponential(logRatio)))
	h = roundedRoot(float32(target * exponential(-logRatio)))
	return w, h
}

// CentralCrop is the box of RandomResizedCrop after ten that did not fit.
func CentralCrop(width, height uint32) Crop {
	c := Crop{W: width, H: height}
	if 4*width < 3*height {
		c.H = (8*width + 3) / 6
	} else if 3*width > 4*height {
		c.W = (8*height + 3) / 6
	}
	c.X, c.Y = (width-c.W)/2, (height-c.H)/2
	return c
}

// exponential is exp(x) for |x| <= log(4/3) by Taylor in float32.
func exponential(x float32) float32 {
	y := float32(x*(1.0/5040)) + 1.0/720
	for _, c := range []float32{1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1} {
		y = float32(y*x) + c
	}
	return y
}

// roundedRoot is sqrt(x) to the nearest integer, ties to even.
func roundedRoot(x float32) uint32 {
	square := func(twice uint32) float32 {
		h := float32(twice) * 0.5
		return h * h
	}
	n := uint32(math.Sqrt(float64(x)) + 0.5)
	for range 2 {
		if n > 0 && (x < square(2*n-1) || (x == square(2*n-1) && n&1 == 1)) {
			n--
		}
	}
	for range 2 {
		if x > square(2*n+1) || (x == square(2*n+1) && n&1 == 1) {
			n++
		}
	}
	return n
}

// Permutation is the n-th of the 24 orders of the operations 0 to 3, four bits
// each, the first lowest.
func Permutation(n uint32) (order uint32) {
	left := []uint32{0, 1, 2, 3}
	for i := range uint32(4) {
		at := n % (4 - i)
		n /= 4 - i
		order |= left[at] << (4 * i)
		left = append(left[:at:at], left[at+1:]...)
	}
	return order
}
