package data

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
)

// pack makes an Image of at most area pixels of the w x h picture whose RGB
// rows row delivers.
func pack(w, h int, row func(y int, dst []uint8), area int) Image {
	if w*h > area {
		return shrink(w, h, row, area)
	}
	out := Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	for y := range h {
		row(y, out.Pix[3*w*y:3*w*(y+1)])
	}
	return out
}

// shrink scales to at most area pixels with the Catmull-Rom filter (bicubic,
// a = -1/2), widened to the scale so that nothing aliases.
func shrink(w, h int, row func(y int, dst []uint8), area int) Image {
	src := image.NewRGBA(image.Rect(0, 0, w, h))
	line := make([]uint8, 3*w)
	for y := range h {
		row(y, line)
		pix := src.Pix[y*src.Stride:]
		for x := range w {
			pix[4*x], pix[4*x+1], pix[4*x+2], pix[4*x+3] = line[3*x], line[3*x+1], line[3*x+2], 255
		}
	}
	w, h = fit(w, h, area)
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(dst, dst.Rect, src, src.Rect, draw.Src, nil)
	out := Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	for i := range w * h {
		copy(out.Pix[3*i:3*i+3], dst.Pix[4*i:])
	}
	return out
}

// fit returns the largest size of about w:h with at most area pixels, never
// larger than w x h and at least 1 x 1.
func fit(w, h, area int) (int, int) {
	if w*h <= area {
		return w, h
	}
	s := math.Sqrt(float64(area) / (float64(w) * float64(h)))
	fw := min(max(1, int(float64(w)*s)), area)
	fh := min(max(1, int(float64(h)*s)), area/fw)
	return fw, fh
}

// rows returns a function that writes row y of m, decoded from a file of the
// given format, as 8-bit RGB into dst. Alpha is dropped, not blended, and of 16
// bits the high byte is kept.
func rows(m image.Image, format string) func(y int, dst []uint8) {
	b := m.Bounds()
	w := b.Dx()
	from := fullRange
	if format == "webp" {
		from = studioRange
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return from.rows(m)
	case *image.NYCbCrA:
		return from.rows(&m.YCbCr)
	case *image.Gray:
		return func(y int, dst []uint8) {
			for x, v := range m.Pix[y*m.Stride : y*m.Stride+w] {
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case *image.Gray16:
		return func(y int, dst []uint8) {
			pix := m.Pix[y*m.Stride:]
			for x := range w {
				v := pix[2*x]
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case *image.NRGBA:
		return func(y int, dst []uint8) {
			pix := m.Pix[y*m.Stride:]
			for x := range w {
				copy(dst[3*x:3*x+3], pix[4*x:])
			}
		}
	case *image.NRGBA64:
		return func(y int, dst []uint8) {
			pix := m.Pix[y*m.Stride:]
			for x := range w {
				dst[3*x], dst[3*x+1], dst[3*x+2] = pix[8*x], pix[8*x+2], pix[8*x+4]
			}
		}
	case *image.RGBA:
		return func(y int, dst []uint8) {
			pix := m.Pix[y*m.Stride:]
			for x := range w {
				a := pix[4*x+3]
				for c := range 3 {
					dst[3*x+c] = unmultiply(pix[4*x+c], a)
				}
			}
		}
	case *image.CMYK:
		return func(y int, dst []uint8) {
			pix := m.Pix[y*m.Stride:]
			for x := range w {
				light := 255 - uint32(pix[4*x+3])
				for c := range 3 {
					dst[3*x+c] = uint8(((255-uint32(pix[4*x+c]))*light + 127) / 255)
				}
			}
		}
	case *image.Paletted:
		var palette [256][3]uint8
		for i, c := range m.Palette {
			palette[i] = opaque(c)
		}
		return func(y int, dst []uint8) {
			for x, v := range m.Pix[y*m.Stride : y*m.Stride+w] {
				copy(dst[3*x:3*x+3], palette[v][:])
			}
		}
	}
	return func(y int, dst []uint8) {
		for x := range w {
			c := opaque(m.At(b.Min.X+x, b.Min.Y+y))
			copy(dst[3*x:3*x+3], c[:])
		}
	}
}

// ycbcr are the factors of a YCbCr to RGB conversion, in units of 2^-16.
type ycbcr struct{ black, luma, redCr, greenCb, greenCr, blueCb int32 }

var (
	// fullRange is JPEG's (JFIF 1.02), rounded as libjpeg does.
	fullRange = ycbcr{0, 65536, 91881, 22554, 46802, 116130}
	// studioRange is lossy WebP's, BT.601 with luma 16 to 235 (RFC 6386, 9.2),
	// which package color does not know.
	studioRange = ycbcr{16, 76309, 104597, 25675, 53279, 132201}
)

func (k ycbcr) rows(m *image.YCbCr) func(y int, dst []uint8) {
	w := m.Rect.Dx()
	shift := 0 // pixels that share a chroma sample: 1 << shift
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		shift = 2
	}
	return func(y int, dst []uint8) {
		luma := m.Y[y*m.YStride:][:w]
		chroma := m.COffset(m.Rect.Min.X, m.Rect.Min.Y+y)
		for x := 0; x < w; chroma++ {
			cb, cr := int32(m.Cb[chroma])-128, int32(m.Cr[chroma])-128
			red, green, blue := k.redCr*cr, -k.greenCb*cb-k.greenCr*cr, k.blueCb*cb
			for end := min(w, x+1<<shift); x < end; x++ {
				v := k.luma*(int32(luma[x])-k.black) + 1<<15
				pixel := dst[3*x : 3*x+3]
				pixel[0], pixel[1], pixel[2] = clip(v+red), clip(v+green), clip(v+blue)
			}
		}
	}
}

// clip rounds 16.16 fixed point down to 0..255.
func clip(v int32) uint8 { return uint8(min(255, max(0, v>>16))) }

// opaque drops a colour's alpha and the low bytes of 16-bit channels.
func opaque(c color.Color) [3]uint8 {
	if n, ok := c.(color.NRGBA); ok { // conversion would lose the colour under alpha 0
		return [3]uint8{n.R, n.G, n.B}
	}
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return [3]uint8{uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8)}
}

// unmultiply takes premultiplied alpha a out of channel c.
func unmultiply(c, a uint8) uint8 {
	if a == 255 || a == 0 {
		return c
	}
	return uint8(min(255, 255*uint32(c)/uint32(a)))
}

// upright undoes EXIF orientation o (1 to 8; EXIF 2.32, 4.6.4 A).
func upright(img Image, o int) Image {
	if o == 1 {
		return img
	}
	flipX := o == 2 || o == 3 || o == 7 || o == 8
	flipY := o == 3 || o == 4 || o == 6 || o == 7
	out := Image{W: img.W, H: img.H, Pix: make([]uint8, len(img.Pix))}
	if o >= 5 {
		out.W, out.H = img.H, img.W
	}
	for y := range out.H {
		for x := range out.W {
			sx, sy := x, y
			if o >= 5 {
				sx, sy = y, x
			}
			if flipX {
				sx = img.W - 1 - sx
			}
			if flipY {
				sy = img.H - 1 - sy
			}
			copy(out.Pix[3*(y*out.W+x):][:3], img.Pix[3*(sy*img.W+sx):])
		}
	}
	return out
}
