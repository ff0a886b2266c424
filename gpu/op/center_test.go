package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestCenter(t *testing.T) {
	for _, size := range matrixCases {
		t.Run(fmt.Sprintf("%dx%d", size.rows, size.width), func(t *testing.T) {
			testCenter(t, gputest.New(t), size.rows, size.width)
		})
	}
	t.Run("split", func(t *testing.T) {
		c := gputest.New(t)
		smallBindings(c, 128*33*4)
		testCenter(t, c, 300, 33)
	})
}

// testCenter updates a center with two micro-steps of the same size.
func testCenter(t *testing.T, c *gputest.Case, rows, width int) {
	a, b, center0 := gputest.Normal(1, rows*width), gputest.Normal(2, rows*width), gputest.Normal(3, width)
	sum, center := c.Output("sum", gpu.F32, width), c.InOut("center", center0, width)
	params, status := paramsInput(c, testParams), c.InputU32("status", []uint32{0}, 1)
	ColSum(c.Graph, sum, c.Input("a", a, rows, width), 1, false)
	ColSum(c.Graph, sum, c.Input("b", b, rows, width), 1, true)
	CenterUpdate(c.Graph, center, sum, params, status, 2*rows)
	c.Run()

	all := append(gputest.Float64(a), gputest.Float64(b)...)
	wantSum, terms := make([]float64, width), make([]float64, width)
	for i, v := range all {
		wantSum[i%width] += v
		terms[i%width] += math.Abs(v)
	}
	want := ref.Center(gputest.Float64(center0), all, 0.9)
	c.Near(sum, wantSum, gputest.EpsTerms(float64(rows), terms))
	for i := range terms {
		terms[i] = 0.1*terms[i]/float64(2*rows) + 0.9*math.Abs(float64(center0[i]))
	}
	c.Near(center, want, gputest.EpsTerms(4+float64(rows), terms))
}

// After a number that was not finite the center stays that of the last step.
func TestCenterHolds(t *testing.T) {
	const width = 37
	center0 := gputest.Normal(1, width)
	c := gputest.New(t)
	center := c.InOut("center", center0, width)
	CenterUpdate(c.Graph, center, c.Input("sum", gputest.Normal(2, width), width), paramsInput(c, testParams),
		c.InputU32("status", []uint32{1}, 1), 4)
	c.Run()
	c.Near(center, gputest.Float64(center0), gputest.Eps(0))
}

func BenchmarkCenter(b *testing.B) {
	const rows, width = 128, 65536
	benchmark(b, 4*rows*width, rows*width, func(g *gpu.Graph, s *source) {
		ColSum(g, s.normal(width), s.normal(rows, width), 1, false)
	})
}
