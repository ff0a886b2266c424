package op

import (
	"fmt"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

func TestConcat(t *testing.T) {
	for _, c := range []struct {
		width int
		rows  []int
	}{{1, []int{1, 1}}, {7, []int{5, 3, 31}}, {64, []int{8, 24}}, {384, []int{2}}} {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprint(c, accumulate), func(t *testing.T) {
				k := gputest.New(t)
				tape := NewTape(k.Graph)
				var xs, dxs []*gpu.Tensor
				var want [][]float64
				var values []float32
				for i, n := range c.rows {
					x0 := gputest.Normal(uint64(i), n*c.width)
					x, dx, before := leaf(k, tape, "x", x0, accumulate, n, c.width)
					xs, dxs, want, values = append(xs, x), append(dxs, dx), append(want, before), append(values, x0...)
				}
				y := Concat(tape, append(slices.Clone(xs), k.Input("constant", make([]float32, c.width), 1, c.width))...)
				kept := k.Keep(y)
				dy := gputest.Normal(9, y.Len())
				tape.Backward(y, k.Input("dy", dy, y.Shape...))
				k.Run()
				k.Near(kept, gputest.Float64(append(values, make([]float32, c.width)...)), gputest.Eps(0))
				at := 0
				for i, dx := range dxs {
					k.Near(dx, plus(want[i], gputest.Float64(dy[at:at+dx.Len()])), gputest.Eps(1))
					at += dx.Len()
				}
			})
		}
	}
	g := gpu.NewGraph(gpu.MinimalCaps)
	s := gpu.NewStore()
	if Concat(NewTape(g), s.New("a", gpu.F32, 2, 3), s.New("b", gpu.F32, 2, 4)); g.Err() == nil {
		t.Error("other widths are accepted")
	}
}
