package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestColSum(t *testing.T) {
	variants(t, colSumKernel, func(t *testing.T) {
		for _, c := range []struct {
			rows, columns int
			alpha         float32
			accumulate    bool
			binding       int64
		}{
			{1, 1, 1, false, 0},
			{33, 31, 1, false, 0},
			{128, 32, -2, true, 0},
			{1009, 7, 1, false, 0},
			{12672, 96, 1, false, 0},
			{17000, 4, 0.5, true, 0}, // three stages
			{300, 12, 1, true, 64 * 12 * 4},
			{1009, 64, 1, false, 0},
			{700, 32, -1, true, 256 * 32 * 4},
			{384, 1024, 1, false, 0},
		} {
			t.Run(fmt.Sprintf("%dx%d", c.rows, c.columns), func(t *testing.T) {
				k := gputest.New(t)
				if c.binding != 0 {
					caps := k.Dev.Caps()
					caps.MaxBinding = c.binding
					k.Graph = gpu.NewGraph(caps)
				}
				x, old := gputest.Normal(1, c.rows*c.columns), gputest.Normal(2, c.columns)
				sum := k.InOut("sum", old, c.columns)
				ColSum(k.Graph, sum, k.Input("x", x, c.rows, c.columns), c.alpha, c.accumulate)
				k.Run()
				want := ref.ColSum(gputest.Float64(x), c.columns)
				terms := make([]float64, c.columns)
				for i, v := range x {
					terms[i%c.columns] += math.Abs(float64(v * c.alpha))
				}
				for i := range want {
					want[i] *= float64(c.alpha)
					if c.accumulate {
						want[i] += float64(old[i])
						terms[i] += math.Abs(float64(old[i]))
					}
				}
				k.Near(sum, want, gputest.EpsTerms(math.Sqrt(float64(c.rows))+3, terms))
			})
		}
	})
}

func BenchmarkColSum(b *testing.B) {
	for _, columns := range []int{96, 384} {
		b.Run(fmt.Sprint(columns), func(b *testing.B) {
			const rows = 64 * 198
			benchmark(b, int64(4*rows*columns), 0, func(g *gpu.Graph, s *source) {
				ColSum(g, s.normal(columns), s.normal(rows, columns), 1, false)
			})
		})
	}
}
