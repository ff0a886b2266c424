package main

import (
	"image"
	"image/png"
	"io"

	"golang.org/x/image/draw"

	"dino-vk/dino"
	"dino-vk/dino/data"
)

// rgba is a picture as package image has them.
func rgba(picture data.Image) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, picture.W, picture.H))
	for i := range picture.W * picture.H {
		copy(m.Pix[4*i:], picture.Pix[3*i:3*i+3])
		m.Pix[4*i+3] = 0xff
	}
	return m
}

// enlargement is the factor by which pictures of a side are shown, so that
// small ones come to 224 pixels.
func enlargement(side int) int { return max(1, (224+side-1)/side) }

func enlarge(m *image.RGBA, factor int) *image.RGBA {
	if factor <= 1 {
		return m
	}
	out := image.NewRGBA(image.Rect(0, 0, m.Rect.Dx()*factor, m.Rect.Dy()*factor))
	draw.NearestNeighbor.Scale(out, out.Rect, m, m.Rect, draw.Src, nil)
	return out
}

func writePNG(path string, m image.Image) error {
	return dino.WriteFile(path, func(w io.Writer) error { return png.Encode(w, m) })
}
