package ref

import (
	"slices"
	"testing"
)

func TestNHWC(t *testing.T) {
	got := NHWC([]float64{1, 2, 3, 4, 5, 6}, 1, 2, 3)
	if want := []float64{1, 4, 2, 5, 3, 6}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNHWCBackward(t *testing.T) {
	const n, c, pixels = 2, 3, 5
	x, dy := normals(1, n*c*pixels), normals(2, n*c*pixels)
	checkGradient(t, "x", x, NHWC(dy, n, pixels, c), func() float64 {
		return dot(NHWC(x, n, c, pixels), dy)
	})
}
