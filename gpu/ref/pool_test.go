package ref

import (
	"math"
	"slices"
	"testing"
)

// Equal values: the first takes the gradient. A NaN is the maximum.
func TestMaxPoolTies(t *testing.T) {
	p := Pool{N: 1, H: 2, W: 3, C: 1, Size: 2, Stride: 1}
	x := []float64{5, 1, 5, 5, 5, 0}
	y, from := p.Forward(x)
	if !slices.Equal(y, []float64{5, 5}) || !slices.Equal(from, []int{0, 2}) {
		t.Errorf("%v from %v", y, from)
	}
	x[3] = math.NaN()
	if y, from = p.Forward(x); !math.IsNaN(y[0]) || from[0] != 3 || y[1] != 5 {
		t.Errorf("%v from %v", y, from)
	}
}

func TestMaxPoolBackward(t *testing.T) {
	for _, p := range []Pool{{2, 7, 6, 3, 3, 2, 1}, {1, 5, 5, 2, 2, 2, 0}, {1, 4, 6, 1, 3, 1, 1}} {
		x := normals(1, p.N*p.H*p.W*p.C)
		y, _ := p.Forward(x)
		dy := normals(2, len(y))
		checkGradient(t, "x", x, p.Backward(x, dy), func() float64 {
			y, _ := p.Forward(x)
			return dot(y, dy)
		})
	}
}

func TestAvgPoolBackward(t *testing.T) {
	const n, pixels, c = 2, 6, 3
	x, dy := normals(1, n*pixels*c), normals(2, n*c)
	checkGradient(t, "x", x, AvgPoolBackward(dy, n, pixels, c), func() float64 {
		return dot(AvgPool(x, n, pixels, c), dy)
	})
}
