package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu/gputest"
)

func TestPadImages(t *testing.T) {
	for _, c := range []struct{ n, h, w, c, pad, channels int }{{1, 1, 1, 1, 0, 4}, {3, 5, 7, 3, 3, 4}, {2, 4, 3, 5, 1, 8}, {2, 31, 33, 3, 1, 3}} {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v/accumulate=%v", c, accumulate), func(t *testing.T) {
				k := gputest.New(t)
				tape := NewTape(k.Graph)
				x := gputest.Normal(1, c.n*c.h*c.w*c.c)
				tx, dx, before := leaf(k, tape, "x", x, accumulate, c.n, c.h, c.w, c.c)
				ty := padImages(tape, tx, c.pad, c.channels)
				dy := gputest.Normal(2, ty.Len())
				y := k.Keep(ty)
				tape.Backward(ty, k.Input("dy", dy, ty.Shape...))
				k.Run()
				want, wantX := make([]float64, ty.Len()), make([]float64, len(x))
				for at := range x {
					channel, j, i, b := at%c.c, at/c.c%c.w, at/c.c/c.w%c.h, at/c.c/c.w/c.h
					to := ((b*ty.Dim(1)+i+c.pad)*ty.Dim(2)+j+c.pad)*c.channels + channel
					want[to] = float64(x[at])
					wantX[at] = before[at] + float64(dy[to])
				}
				k.Near(y, want, gputest.Eps(0))
				k.Near(dx, wantX, gputest.Eps(1))
			})
		}
	}
}
