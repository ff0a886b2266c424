package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestL2Norm(t *testing.T) {
	eachReading(t, []*gpu.Kernel{rowNormFwd, rowNormBwd}, testL2Norm)
}

func testL2Norm(t *testing.T) {
	for _, size := range matrixCases {
		t.Run(fmt.Sprintf("%dx%d", size.rows, size.width), func(t *testing.T) {
			rows, width := size.rows, size.width
			n := rows * width
			x0, dy0, dx0 := gputest.Normal(1, n), gputest.Normal(2, n), gputest.Normal(3, n)
			c := gputest.New(t)
			tape := NewTape(c.Graph)
			x, dx := c.Input("x", x0, rows, width), c.InOut("dx", dx0, rows, width)
			tape.Param(x, dx, true)
			y := L2Norm(tape, x)
			kept := c.Keep(y)
			tape.Backward(y, c.Input("dy", dy0, rows, width))
			c.Run()

			xs, dys := gputest.Float64(x0), gputest.Float64(dy0)
			want := ref.L2NormBackward(xs, dys, width, 1e-12)
			terms := rowNormTerms(xs, dys, nil, width)
			for i := range want {
				want[i] += float64(dx0[i])
				terms[i] += math.Abs(float64(dx0[i]))
			}
			k := 8 + float64(width)/8
			c.Near(kept, ref.L2Norm(xs, width, 1e-12), gputest.Eps(k))
			c.Near(dx, want, gputest.EpsTerms(2*k, terms))
		})
	}
}

// rowNormTerms are the sums of magnitudes that make the gradient of g x/|x|.
func rowNormTerms(x, dy, g []float64, width int) []float64 {
	terms := make([]float64, len(x))
	for at := 0; at < len(x); at += width {
		var square, along float64
		for i := at; i < at+width; i++ {
			square += x[i] * x[i]
			along += math.Abs(x[i] * dy[i])
		}
		gain := 1.0
		if g != nil {
			gain = math.Abs(g[at/width])
		}
		for i := at; i < at+width; i++ {
			terms[i] = gain * (math.Abs(dy[i]) + math.Abs(x[i])*along/square) / math.Sqrt(square)
		}
	}
	return terms
}

// Rows shorter than eps are divided by eps, and their gradient is dy/eps.
func TestL2NormBelowEps(t *testing.T) {
	const width, eps = 4, 1e-12
	x0 := []float32{0, 0, 0, 0, 3e-13, -4e-13, 5e-13, 1e-13}
	dy0 := gputest.Normal(1, len(x0))
	c := gputest.New(t)
	tape := NewTape(c.Graph)
	x, dx := c.Input("x", x0, 2, width), c.Output("dx", gpu.F32, 2, width)
	tape.Param(x, dx, false)
	y := L2Norm(tape, x)
	kept := c.Keep(y)
	tape.Backward(y, c.Input("dy", dy0, 2, width))
	c.Run()
	c.Near(kept, ref.L2Norm(gputest.Float64(x0), width, eps), gputest.Eps(4))
	c.Near(dx, ref.L2NormBackward(gputest.Float64(x0), gputest.Float64(dy0), width, eps), gputest.Eps(4))
}

func TestWeightNorm(t *testing.T) {
	for _, size := range matrixCases {
		for _, trained := range []bool{false, true} {
			t.Run(fmt.Sprintf("%dx%d/gain=%v", size.rows, size.width, trained), func(t *testing.T) {
				testWeightNorm(t, gputest.New(t), size.rows, size.width, trained)
			})
		}
	}
	t.Run("split", func(t *testing.T) {
		c := gputest.New(t)
		smallBindings(c, 128*64*4)
		testWeightNorm(t, c, 300, 64, true)
	})
}

func testWeightNorm(t *testing.T, c *gputest.Case, rows, width int, trained bool) {
	n := rows * width
	v0, dw0, gain0, dgain0 := gputest.Normal(1, n), gputest.Normal(2, n), gputest.Normal(3, rows), gputest.Normal(4, rows)
	tape := NewTape(c.Graph)
	v, dv := c.Input("v", v0, rows, width), c.Output("dv", gpu.F32, rows, width)
	gain, dgain := c.Input("g", gain0, rows, 1), c.InOut("dg", dgain0, rows, 1)
	tape.Param(v, dv, false)
	if trained {
		tape.Param(gain, dgain, true)
	}
	w := WeightNorm(tape, v, gain)
	kept := c.Keep(w)
	tape.Backward(w, c.Input("dw", dw0, rows, width))
	c.Run()

	vs, gs, dws := gputest.Float64(v0), gputest.Float64(gain0), gputest.Float64(dw0)
	wantDV, wantDG := ref.WeightNormBackward(vs, gs, dws)
	terms := make([]float64, rows)
	for r := range terms {
		if !trained {
			wantDG[r] = 0 // what dg held is left alone
		}
		var square float64
		for i := r * width; i < (r+1)*width; i++ {
			square += vs[i] * vs[i]
			terms[r] += math.Abs(vs[i] * dws[i])
		}
		terms[r] = terms[r]/math.Sqrt(square) + math.Abs(float64(dgain0[r]))
		wantDG[r] += float64(dgain0[r])
	}
	k := 8 + float64(width)/8
	c.Near(kept, ref.WeightNorm(vs, gs), gputest.Eps(k))
	c.Near(dv, wantDV, gputest.EpsTerms(2*k, rowNormTerms(vs, dws, gs, width)))
	c.Near(dgain, wantDG, gputest.EpsTerms(k, terms))
}

func BenchmarkWeightNorm(b *testing.B) {
	const rows, width = 8192, 256
	benchmark(b, 5*4*rows*width, 0, func(g *gpu.Graph, s *source) {
		tape := NewTape(g)
		v, gain := s.normal(rows, width), s.normal(rows)
		tape.Param(v, s.normal(rows, width), false)
		tape.Backward(WeightNorm(tape, v, gain), s.normal(rows, width))
	})
}

func BenchmarkL2Norm(b *testing.B) {
	const rows, width = 4096, 256
	benchmark(b, 2*4*rows*width, 0, func(g *gpu.Graph, s *source) { L2Norm(NewTape(g), s.normal(rows, width)) })
}
