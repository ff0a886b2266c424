package eval

import (
	"image"
	"image/color"
	"slices"
	"testing"
)

func plain(w, h int, c color.RGBA) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func TestContactSheet(t *testing.T) {
	red, blue := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}
	white := color.RGBA{255, 255, 255, 255}
	sheet := ContactSheet([][]image.Image{{plain(3, 4, red), plain(5, 2, blue)}, {nil, plain(1, 1, red)}}, 2)
	if got, want := sheet.Bounds().Size(), image.Pt(2+3+2+5+2, 2+4+2+1+2); got != want {
		t.Fatalf("size %v, want %v", got, want)
	}
	for _, c := range []struct {
		x, y int
		want color.RGBA
	}{{0, 0, white}, {2, 2, red}, {4, 5, red}, {5, 5, white}, {7, 2, blue}, {11, 3, blue}, {7, 4, white}, {2, 8, white}, {7, 8, red}, {8, 8, white}} {
		if got := sheet.RGBAAt(c.x, c.y); got != c.want {
			t.Errorf("pixel %d, %d is %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

// CropImage inverts the normalisation for every level.
func TestCropImage(t *testing.T) {
	mean, std := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
	crop := make([]float32, 3*256)
	for i := range crop {
		crop[i] = float32((float64(i%256)/255 - mean[i/256]) / std[i/256])
	}
	m := CropImage(crop, 32, 8)
	for i := range 256 {
		v := uint8(i)
		if got, want := m.RGBAAt(i%32, i/32), (color.RGBA{v, v, v, 255}); got != want {
			t.Errorf("level %d gives %v", i, got)
		}
	}
}

func TestCropRow(t *testing.T) {
	crops := func(n, side int) (list [][]float32) {
		for range n {
			list = append(list, make([]float32, 3*side*side))
		}
		return list
	}
	for _, c := range []struct{ w, h, locals, wantW, wantH int }{
		{6, 5, 3, 6, 5},     // smaller than a crop: as it is
		{30, 16, 0, 15, 8},  // shrunk to a crop's height
		{1, 100, 1, 1, 8},   // never to nothing
		{100, 8, 2, 100, 8}, // of a crop's height
	} {
		row := CropRow(plain(c.w, c.h, color.RGBA{9, 9, 9, 255}), crops(2, 8), 8, crops(c.locals, 4), 4)
		want := []image.Point{{c.wantW, c.wantH}, {8, 8}, {8, 8}}
		for range c.locals {
			want = append(want, image.Pt(4, 4))
		}
		var got []image.Point
		for _, m := range row {
			got = append(got, m.Bounds().Size())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d x %d with %d local crops: sizes %v, want %v", c.w, c.h, c.locals, got, want)
		}
		if r, _, _, _ := row[0].At(0, 0).RGBA(); r>>8 != 9 {
			t.Errorf("%d x %d: the picture's red is %d", c.w, c.h, r>>8)
		}
	}
}
