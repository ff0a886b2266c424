package eval

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
)

// viridis at even steps (matplotlib's default colour map, by Smith and van der
// Walt): equal steps look equal, and it is lighter the higher.
var viridis = [...]color.RGBA{
	{0x44, 0x01, 0x54, 255}, {0x48, 0x28, 0x78, 255}, {0x3e, 0x4a, 0x89, 255}, {0x31, 0x68, 0x8e, 255}, {0x26, 0x82, 0x8e, 255},
	{0x1f, 0x9e, 0x89, 255}, {0x35, 0xb7, 0x79, 255}, {0x6d, 0xcd, 0x59, 255}, {0xb4, 0xde, 0x2c, 255}, {0xfd, 0xe7, 0x25, 255},
}

// heatColor is the colour of t in [0, 1].
func heatColor(t float64) color.RGBA {
	at := min(max(t, 0), 1) * float64(len(viridis)-1)
	i := min(int(at), len(viridis)-2)
	a, b, f := viridis[i], viridis[i+1], at-float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + f*(float64(b)-float64(a)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// HeatMap paints a map of rows x cols values, such as a head's attention to the
// patches, as a picture of width x height pixels: the least value darkest, the
// greatest lightest. Smooth interpolates between the patches' centers;
// otherwise every patch is a block of one colour.
func HeatMap(values []float32, cols, rows, width, height int, smooth bool) *image.RGBA {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, float64(v)), max(high, float64(v))
	}
	span := high - low
	if !(span > 0) {
		span = 1
	}
	at := func(x, y int) float64 {
		x, y = min(max(x, 0), cols-1), min(max(y, 0), rows-1)
		return (float64(values[y*cols+x]) - low) / span
	}
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for py := range height {
		for px := range width {
			if !smooth {
				m.SetRGBA(px, py, heatColor(at(px*cols/width, py*rows/height)))
				continue
			}
			x := (float64(px)+0.5)*float64(cols)/float64(width) - 0.5
			y := (float64(py)+0.5)*float64(rows)/float64(height) - 0.5
			x0, y0 := math.Floor(x), math.Floor(y)
			fx, fy := x-x0, y-y0
			line := func(y int) float64 { return (1-fx)*at(int(x0), y) + fx*at(int(x0)+1, y) }
			m.SetRGBA(px, py, heatColor((1-fy)*line(int(y0))+fy*line(int(y0)+1)))
		}
	}
	return m
}

// Overlay lays a heat map over a picture, of whose light it keeps the share
// 1-strength. The map is stretched to the picture's size.
func Overlay(picture, heat image.Image, strength float64) *image.RGBA {
	size := picture.Bounds().Size()
	out := image.NewRGBA(image.Rectangle{Max: size})
	draw.BiLinear.Scale(out, out.Rect, heat, heat.Bounds(), draw.Src, nil)
	mix := func(over uint8, under uint32) uint8 {
		return uint8(math.Round(strength*float64(over) + (1-strength)*float64(under>>8)))
	}
	for y := range size.Y {
		for x := range size.X {
			r, g, b, _ := picture.At(picture.Bounds().Min.X+x, picture.Bounds().Min.Y+y).RGBA()
			h := out.RGBAAt(x, y)
			out.SetRGBA(x, y, color.RGBA{mix(h.R, r), mix(h.G, g), mix(h.B, b), 255})
		}
	}
	return out
}

// AttentionRow is a contact sheet's row on one picture: the picture, each
// head's attention laid over it, and last the heads' mean. heads holds a map of
// rows x cols for each head.
func AttentionRow(picture image.Image, heads [][]float32, cols, rows int) []image.Image {
	size := picture.Bounds().Size()
	row := []image.Image{picture}
	mean := make([]float32, cols*rows)
	for _, head := range heads {
		for i, v := range head {
			mean[i] += v / float32(len(heads))
		}
		row = append(row, Overlay(picture, HeatMap(head, cols, rows, size.X, size.Y, true), 0.6))
	}
	return append(row, Overlay(picture, HeatMap(mean, cols, rows, size.X, size.Y, true), 0.6))
}
