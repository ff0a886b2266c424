package ref

import "math"

// luma is Pillow's 8-bit luminance (ITU-R 601-2).
func luma(p []uint8) int {
	return (19595*int(p[0]) + 38470*int(p[1]) + 7471*int(p[2]) + 32768) >> 16
}

// blend is Pillow's Image.blend(degenerate, sample, f) in float32.
func blend(degenerate, sample int, f float32) uint8 {
	product := float32(f * float32(sample-degenerate)) // rounded by itself, never fused
	v := float32(degenerate) + product
	return uint8(min(max(v, 0), 255))
}

func (p RGB) mapPixels(f func(out, in []uint8)) RGB {
	out := NewRGB(p.W, p.H)
	for i := 0; i < len(p.Pix); i += 3 {
		f(out.Pix[i:i+3], p.Pix[i:i+3])
	}
	return out
}

// Brightness is torchvision's adjust_brightness of an 8-bit picture.
func (p RGB) Brightness(f float32) RGB {
	return p.mapPixels(func(out, in []uint8) {
		for c := range 3 {
			out[c] = blend(0, int(in[c]), f)
		}
	})
}

// meanLuma is the mean luminance, rounded half up.
func (p RGB) meanLuma() int {
	sum := 0
	for i := 0; i < len(p.Pix); i += 3 {
		sum += luma(p.Pix[i : i+3])
	}
	return int(float64(sum)/float64(p.W*p.H) + 0.5)
}

// Contrast is torchvision's adjust_contrast of an 8-bit picture.
func (p RGB) Contrast(f float32) RGB {
	mean := p.meanLuma()
	return p.mapPixels(func(out, in []uint8) {
		for c := range 3 {
			out[c] = blend(mean, int(in[c]), f)
		}
	})
}

// Saturation is torchvision's adjust_saturation of an 8-bit picture.
func (p RGB) Saturation(f float32) RGB {
	return p.mapPixels(func(out, in []uint8) {
		l := luma(in)
		for c := range 3 {
			out[c] = blend(l, int(in[c]), f)
		}
	})
}

// Grayscale is rgb_to_grayscale with three equal channels.
func (p RGB) Grayscale() RGB {
	return p.mapPixels(func(out, in []uint8) {
		l := uint8(luma(in))
		out[0], out[1], out[2] = l, l, l
	})
}

// Solarize is Pillow's ImageOps.solarize with its threshold of 128.
func (p RGB) Solarize() RGB {
	return p.mapPixels(func(out, in []uint8) {
		for c, v := range in {
			if v >= 128 {
				v = 255 - v
			}
			out[c] = v
		}
	})
}

// Hue is torchvision's adjust_hue of an 8-bit picture: through Pillow's 8-bit
// HSV, the hue turned by f truncated to 1/255.
func (p RGB) Hue(f float32) RGB {
	shift := uint8(int(float64(f) * 255))
	return p.mapPixels(func(out, in []uint8) {
		h, s, v := ToHSV(in[0], in[1], in[2])
		out[0], out[1], out[2] = FromHSV(h+shift, s, v)
	})
}

// ToHSV is Pillow's rgb2hsv, with its float32 and float64 steps.
func ToHSV(r, g, b uint8) (h, s, v uint8) {
	high, low := max(r, g, b), min(r, g, b)
	if high == low {
		return 0, 0, high
	}
	span := float32(high - low)
	sat := span / float32(high)
	rc, gc, bc := float32(high-r)/span, float32(high-g)/span, float32(high-b)/span
	var hue float32
	switch high {
	case r:
		hue = bc - gc
	case g:
		hue = float32(2.0 + float64(rc) - float64(bc))
	default:
		hue = float32(4.0 + float64(gc) - float64(rc))
	}
	hue = float32(math.Mod(float64(hue)/6.0+1.0, 1.0))
	return uint8(int(float64(hue) * 255.0)), uint8(int(float64(sat) * 255.0)), high
}

// FromHSV is Pillow's hsv2rgb, with its float32 and float64 steps.
func FromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	turn := float64(h) * 6.0 / 255.0
	sector := math.Floor(turn)
	f := float64(float32(turn - sector))
	sat := float64(float32(float64(s) / 255.0))
	scaled := func(x float64) uint8 { return uint8(math.Round(float64(v) * x)) }
	down := scaled(1 - float64(sat*f))
	up := scaled(1 - float64(sat*(1-f)))
	floor := scaled(1 - sat)
	switch int(sector) % 6 {
	case 0:
		return v, up, floor
	case 1:
		return down, v, floor
	case 2:
		return floor, v, up
	case 3:
		return floor, down, v
	case 4:
		return up, floor, v
	}
	return v, floor, down
}
