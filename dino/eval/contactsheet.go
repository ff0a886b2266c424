package eval

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
)

// ContactSheet lays pictures out in rows and columns, gap pixels apart on
// white. A column is as wide as its widest picture, a row as high as its
// highest; a nil picture leaves its cell empty.
func ContactSheet(rows [][]image.Image, gap int) *image.RGBA {
	var widths, heights []int
	for _, row := range rows {
		height := 0
		for c, m := range row {
			if c == len(widths) {
				widths = append(widths, 0)
			}
			if m != nil {
				widths[c] = max(widths[c], m.Bounds().Dx())
				height = max(height, m.Bounds().Dy())
			}
		}
		heights = append(heights, height)
	}
	sheet := image.NewRGBA(image.Rect(0, 0, extent(widths, gap), extent(heights, gap)))
	draw.Draw(sheet, sheet.Rect, image.White, image.Point{}, draw.Src)
	y := gap
	for r, row := range rows {
		x := gap
		for c, m := range row {
			if m != nil {
				to := image.Rectangle{Max: m.Bounds().Size()}.Add(image.Pt(x, y))
				draw.Draw(sheet, to, m, m.Bounds().Min, draw.Over)
			}
			x += widths[c] + gap
		}
		y += heights[r] + gap
	}
	return sheet
}

// extent is the length of a line of cells with gaps around them.
func extent(cells []int, gap int) int {
	n := gap
	for _, c := range cells {
		n += c + gap
	}
	return n
}

// CropImage turns a crop as the network sees it, (3, height, width) normalised
// with ImageNet's mean and deviation, back into a picture.
func CropImage(crop []float32, width, height int) *image.RGBA {
	mean, std := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	n := width * height
	for i := range n {
		var level [3]uint8
		for c := range level {
			v := (float64(crop[c*n+i])*std[c] + mean[c]) * 255
			level[c] = uint8(math.Round(min(max(v, 0), 255)))
		}
		m.SetRGBA(i%width, i/width, color.RGBA{level[0], level[1], level[2], 255})
	}
	return m
}

// CropRow is a contact sheet's row on one picture: the picture, shrunk to the
// height of a global crop where it is higher, then its global and local crops,
// each (3, side, side) normalised.
func CropRow(picture *image.RGBA, globals [][]float32, globalSide int, locals [][]float32, localSide int) []image.Image {
	if size := picture.Rect.Size(); size.Y > globalSide {
		small := image.NewRGBA(image.Rect(0, 0, max(size.X*globalSide/size.Y, 1), globalSide))
		draw.CatmullRom.Scale(small, small.Rect, picture, picture.Rect, draw.Src, nil)
		picture = small
	}
	row := []image.Image{picture}
	for _, crop := range globals {
		row = append(row, CropImage(crop, globalSide, globalSide))
	}
	for _, crop := range locals {
		row = append(row, CropImage(crop, localSide, localSide))
	}
	return row
}
