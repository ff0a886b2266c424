package ref

import (
	"fmt"
	"math"
	"testing"
)

func TestPosEmbedBackward(t *testing.T) {
	const width = 2
	for _, c := range []struct{ side, rows, cols int }{{4, 2, 2}, {3, 5, 4}, {1, 2, 3}, {5, 1, 7}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			pos, dy := normals(1, (1+c.side*c.side)*width), normals(2, (1+c.rows*c.cols)*width)
			checkGradient(t, "pos", pos, PosEmbedBackward(dy, c.side, c.rows, c.cols, width), func() float64 {
				return dot(PosEmbed(pos, c.side, c.rows, c.cols, width), dy)
			})
		})
	}
}

// Interpolation keeps a constant: the weights of a cell sum to one.
func TestPosEmbedConstant(t *testing.T) {
	pos := make([]float64, 1+7*7)
	for i := range pos {
		pos[i] = 1
	}
	for i, v := range PosEmbed(pos, 7, 4, 10, 1) {
		if math.Abs(v-1) > 1e-14 {
			t.Errorf("token %d: %g", i, v)
		}
	}
}
