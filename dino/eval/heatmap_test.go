package eval

import (
	"image/color"
	"testing"
)

// The map is darker the lower, without a step back.
func TestHeatColor(t *testing.T) {
	light := func(c color.RGBA) float64 {
		return 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
	}
	for i := 1; i <= 1000; i++ {
		a, b := heatColor(float64(i-1)/1000), heatColor(float64(i)/1000)
		if light(b) < light(a)-1 { // channels are rounded by themselves
			t.Fatalf("at %d/1000 the light falls from %v to %v", i, a, b)
		}
	}
	if got, want := heatColor(-1), viridis[0]; got != want {
		t.Errorf("below the scale: %v, want %v", got, want)
	}
	if got, want := heatColor(2), viridis[len(viridis)-1]; got != want {
		t.Errorf("above the scale: %v, want %v", got, want)
	}
}

func TestHeatMap(t *testing.T) {
	values := []float32{0, 1, 2, 3, 4, 8} // 2 rows of 3
	blocks := HeatMap(values, 3, 2, 9, 8, false)
	for y := range 8 {
		for x := range 9 {
			want := heatColor(float64(values[y/4*3+x/3]) / 8)
			if got := blocks.RGBAAt(x, y); got != want {
				t.Fatalf("pixel %d, %d is %v, want %v", x, y, got, want)
			}
		}
	}
	smooth := HeatMap(values, 3, 2, 9, 6, true)
	for _, c := range []struct {
		x, y int
		want float64
	}{{0, 0, 0}, {1, 1, 0}, {4, 1, 1.0 / 8}, {7, 4, 1}, {8, 5, 1}, {2, 1, 1.0 / 24}} {
		if got, want := smooth.RGBAAt(c.x, c.y), heatColor(c.want); got != want {
			t.Errorf("smooth: pixel %d, %d is %v, want %v", c.x, c.y, got, want)
		}
	}
	if got, want := HeatMap([]float32{5, 5}, 2, 1, 2, 1, true).RGBAAt(1, 0), heatColor(0); got != want {
		t.Errorf("a constant map is %v, want %v", got, want)
	}
}

func TestOverlay(t *testing.T) {
	picture, heat := plain(6, 4, color.RGBA{100, 200, 0, 255}), plain(3, 2, color.RGBA{200, 0, 50, 255})
	out := Overlay(picture, heat, 0.25)
	if got, want := out.RGBAAt(5, 3), (color.RGBA{125, 150, 13, 255}); got != want || out.Rect != picture.Rect {
		t.Errorf("overlay of size %v has %v, want %v", out.Rect, got, want)
	}
}

func TestAttentionRow(t *testing.T) {
	picture := plain(8, 8, color.RGBA{0, 0, 0, 255})
	row := AttentionRow(picture, [][]float32{{1, 0, 0, 0}, {0, 0, 0, 1}}, 2, 2)
	if len(row) != 4 {
		t.Fatalf("%d pictures, want picture, two heads and mean", len(row))
	}
	for i, m := range row {
		if m.Bounds() != picture.Bounds() {
			t.Errorf("picture %d has bounds %v", i, m.Bounds())
		}
	}
	// In the mean both corners are lightest.
	if a, b := row[3].At(0, 0), row[3].At(7, 7); a != b || a == row[3].At(7, 0) {
		t.Errorf("mean: corners %v and %v, another %v", a, b, row[3].At(7, 0))
	}
}
