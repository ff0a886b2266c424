package ref

import (
	"fmt"
	"slices"
	"testing"
)

// One channel, a 3 x 3 image, worked by hand.
func TestConv(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}
	w := []float64{1, 0, -1, 2} // [[1, 0], [-1, 2]]
	for _, c := range []struct {
		stride, pad int
		want        []float64
	}{
		{1, 0, []float64{7, 9, 13, 15}}, // 1 - 4 + 10, 2 - 5 + 12, …
		{2, 1, []float64{2, 4, 14, 15}}, // 2·1, -2 + 2·3, 2·7, 5 - 8 + 2·9
	} {
		got := Conv{1, 3, 3, 1, 1, 2, 2, c.stride, c.pad}.Forward(x, w)
		if !slices.Equal(got, c.want) {
			t.Errorf("stride %d, padding %d: %v, want %v", c.stride, c.pad, got, c.want)
		}
	}
}

func TestConvBackward(t *testing.T) {
	for _, c := range []Conv{
		{2, 4, 5, 2, 3, 3, 3, 1, 1},
		{1, 5, 4, 3, 2, 3, 2, 2, 0},
		{1, 6, 7, 1, 2, 4, 4, 3, 2},
		{2, 3, 4, 2, 2, 1, 1, 2, 0},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			height, width := c.Out()
			x, w := normals(1, c.N*c.H*c.W*c.Ci), normals(2, c.Co*c.Ci*c.Kh*c.Kw)
			dy := normals(3, c.N*height*width*c.Co)
			dx, dw := c.Backward(x, w, dy)
			f := func() float64 { return dot(c.Forward(x, w), dy) }
			checkGradient(t, "x", x, dx, f)
			checkGradient(t, "w", w, dw, f)
		})
	}
}
