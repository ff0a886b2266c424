package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestLayerNorm(t *testing.T) {
	eachReading(t, []*gpu.Kernel{layerNormFwd, layerNormBwd, layerNormParams}, func(t *testing.T) {
		for _, size := range matrixCases {
			t.Run(fmt.Sprintf("%dx%d", size.rows, size.width), func(t *testing.T) {
				testLayerNorm(t, gputest.New(t), size.rows, size.width)
			})
		}
	})
	t.Run("split", func(t *testing.T) {
		c := gputest.New(t)
		smallBindings(c, 128*36*4)
		testLayerNorm(t, c, 300, 36)
	})
}

func testLayerNorm(t *testing.T, c *gputest.Case, rows, width int) {
	const eps = 1e-6
	n := rows * width
	x0, dy0, dx0 := gputest.Normal(1, n), gputest.Normal(2, n), gputest.Normal(3, n)
	gamma0, beta0, dgamma0 := gputest.Normal(4, width), gputest.Normal(5, width), gputest.Normal(6, width)
	for i := range x0 {
		x0[i] += 1 // a mean that must be taken off
	}

	tape := NewTape(c.Graph)
	x, dx := c.Input("x", x0, rows, width), c.InOut("dx", dx0, rows, width)
	gamma, dgamma := c.Input("gamma", gamma0, width), c.InOut("dgamma", dgamma0, width)
	beta, dbeta := c.Input("beta", beta0, width), c.Output("dbeta", gpu.F32, width)
	tape.Param(x, dx, true)
	tape.Param(gamma, dgamma, true)
	tape.Param(beta, dbeta, false)
	y := LayerNorm(tape, x, gamma, beta, eps)
	kept := c.Keep(y)
	tape.Backward(y, c.Input("dy", dy0, rows, width))
	c.Run()

	xs, gs, dys := gputest.Float64(x0), gputest.Float64(gamma0), gputest.Float64(dy0)
	wantY, mean, rstd := ref.LayerNorm(xs, gs, gputest.Float64(beta0), eps)
	wantDX, wantDGamma, wantDBeta := ref.LayerNormBackward(xs, gs, mean, rstd, dys)

	// A row's sums run through width/4 terms in a chain; what they sum is as
	// large as the row's own elements, and rstd magnifies that.
	scaleX, scaleY := 1.0, 1.0
	termsGamma, termsBeta := make([]float64, width), make([]float64, width)
	for i, v := range xs {
		r, col := i/width, i%width
		xhat := math.Abs(v-mean[r]) * rstd[r]
		scaleX = max(scaleX, rstd[r]*(1+xhat)*largest(gs)*4)
		scaleY = max(scaleY, rstd[r]*math.Abs(v)*math.Abs(gs[col]))
		termsGamma[col] += math.Abs(dys[i]) * (xhat + rstd[r]*math.Abs(v))
		termsBeta[col] += math.Abs(dys[i])
	}
	for i := range wantDX {
		wantDX[i] += float64(dx0[i])
	}
	for i := range wantDGamma {
		wantDGamma[i] += float64(dgamma0[i])
		termsGamma[i] += math.Abs(float64(dgamma0[i]))
	}
	row := 8 + float64(width)/8
	column := 8 + float64(max(16, rows/64)+64)/2
	c.Near(kept, wantY, gputest.EpsOf(row, scaleY))
	c.Near(dx, wantDX, gputest.EpsOf(2*row, scaleX))
	c.Near(dgamma, wantDGamma, gputest.EpsTerms(row+column, termsGamma))
	c.Near(dbeta, wantDBeta, gputest.EpsTerms(column, termsBeta))
}

func BenchmarkLayerNorm(b *testing.B) {
	const rows, width = 4096, 384
	b.Run("forward", func(b *testing.B) {
		benchmark(b, 2*4*rows*width, 0, func(g *gpu.Graph, s *source) {
			LayerNorm(NewTape(g), s.normal(rows, width), s.normal(width), s.normal(width), 1e-6)
		})
	})
	b.Run("both", func(b *testing.B) {
		benchmark(b, 7*4*rows*width, 0, func(g *gpu.Graph, s *source) {
			tape := NewTape(g)
			x, gamma, beta := s.normal(rows, width), s.normal(width), s.normal(width)
			tape.Param(x, s.normal(rows, width), false)
			tape.Param(gamma, s.normal(width), false)
			tape.Param(beta, s.normal(width), false)
			tape.Backward(LayerNorm(tape, x, gamma, beta, 1e-6), s.normal(rows, width))
		})
	})
}
