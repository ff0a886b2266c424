package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestNHWC(t *testing.T) {
	for _, c := range []struct{ n, channels, h, w int }{{1, 1, 1, 1}, {2, 3, 31, 33}, {3, 4, 8, 5}, {2, 13, 7, 7}} {
		for _, accumulate := range []bool{false, true} {
			for _, cut := range []bool{false, true} {
				t.Run(fmt.Sprintf("%+v/accumulate=%v/cut=%v", c, accumulate, cut), func(t *testing.T) {
					k := gputest.New(t)
					n := c.n
					if cut { // as many images as may begin a view, and some
						n += rowAlign
						caps := k.Dev.Caps()
						caps.MaxBinding = int64(rowAlign * c.channels * c.h * c.w * 4)
						k.Graph = gpu.NewGraph(caps)
					}
					x := gputest.Normal(1, n*c.channels*c.h*c.w)
					dy := gputest.Normal(2, len(x))
					tape := NewTape(k.Graph)
					tx, dx, before := leaf(k, tape, "x", x, accumulate, n, c.channels, c.h, c.w)
					ty := NHWC(tape, tx)
					y := k.Keep(ty)
					tape.Backward(ty, k.Input("dy", dy, n, c.h, c.w, c.channels))
					k.Run()
					k.Near(y, ref.NHWC(gputest.Float64(x), n, c.channels, c.h*c.w), gputest.Eps(0))
					k.Near(dx, plus(before, ref.NHWC(gputest.Float64(dy), n, c.h*c.w, c.channels)), gputest.Eps(1))
				})
			}
		}
	}
}

func BenchmarkNHWC(b *testing.B) {
	const n, side = 16, 224
	benchmark(b, 2*4*n*3*side*side, 0, func(g *gpu.Graph, s *source) {
		NHWC(NewTape(g), s.normal(n, 3, side, side))
	})
}
