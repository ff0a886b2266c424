package op

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// batchNormCases are rows and channels: one chunk of 64 rows and less, ragged
// ones, two and three levels of chunks, more rows than a loop may go round.
var batchNormCases = []struct{ rows, width int }{
	{2, 1}, {2, 5}, {3, 64}, {31, 33}, {63, 7}, {64, 4}, {65, 16}, {1009, 13}, {4097, 3}, {640, 2048}, {70_001, 3}, {262_145, 1},
}

// batchNormKinds are the ways of recording one.
var batchNormKinds = []struct {
	name     string
	act      activation
	residual bool
	function func(z float64) (y, slope float64)
}{
	{"plain", noActivation, false, func(z float64) (float64, float64) { return z, 1 }},
	{"relu", relu, false, ref.ReLU},
	{"gelu", gelu, false, ref.GELU},
	{"add relu", relu, true, ref.ReLU},
}

func TestBatchNorm(t *testing.T) {
	for _, size := range batchNormCases {
		for kind, k := range batchNormKinds {
			t.Run(fmt.Sprintf("%dx%d/%s", size.rows, size.width, k.name), func(t *testing.T) {
				testBatchNorm(t, gputest.New(t), size.rows, size.width, kind, 1)
			})
		}
	}
	for kind, k := range batchNormKinds {
		t.Run("split/"+k.name, func(t *testing.T) {
			c := gputest.New(t)
			smallBindings(c, 128*36*4)
			testBatchNorm(t, c, 300, 36, kind, 1)
		})
	}
	eachReading(t, []*gpu.Kernel{batchNormStats, batchNormFwd, batchNormSums, batchNormBwd}, func(t *testing.T) {
		for kind, k := range batchNormKinds {
			t.Run(k.name, func(t *testing.T) { testBatchNorm(t, gputest.New(t), 1009, 64, kind, 1) })
		}
	})
	// Of means a thousand times the deviation, E x² - (E x)² would keep not one
	// digit of the variance.
	t.Run("large mean", func(t *testing.T) { testBatchNorm(t, gputest.New(t), 5000, 7, 0, 1000) })
}

// recordBatchNorm calls the function of a kind.
func recordBatchNorm(tape *Tape, kind int, x *gpu.Tensor, w BatchNormWeights, residual *gpu.Tensor, train bool) *gpu.Tensor {
	switch batchNormKinds[kind].name {
	case "plain":
		return BatchNorm(tape, x, w, train)
	case "relu":
		return BatchNormReLU(tape, x, w, train)
	case "gelu":
		return BatchNormGELU(tape, x, w, train)
	}
	return BatchNormAddReLU(tape, x, w, residual, train)
}

func testBatchNorm(t *testing.T, c *gputest.Case, rows, width, kind int, offset float32) {
	k, n := batchNormKinds[kind], rows*width
	x0, dy0, dx0, res0 := gputest.Normal(1, n), gputest.Normal(2, n), gputest.Normal(3, n), gputest.Normal(4, n)
	gamma0, beta0 := gputest.Normal(5, width), gputest.Normal(6, width)
	dgamma0, mean0, var0 := gputest.Normal(7, width), gputest.Normal(8, width), gputest.Uniform(9, width, 0.5, 2)
	for i := range x0 {
		x0[i] += offset
	}
	xs, gammas := gputest.Float64(x0), gputest.Float64(gamma0)
	mean, variance, rstd := ref.BatchStatistics(xs, width, BatchNormEps)
	z := ref.BatchNorm(xs, gammas, gputest.Float64(beta0), mean, rstd)
	y, dz := make([]float64, n), make([]float64, n)
	for i := range z {
		if k.residual {
			z[i] += float64(res0[i])
		}
		if k.act == relu && math.Abs(z[i]) < 1e-3 {
			dy0[i] = 0 // rounding may move z over the kink
		}
		var slope float64
		y[i], slope = k.function(z[i])
		dz[i] = float64(dy0[i]) * slope
	}
	dx, dgamma, dbeta := ref.BatchNormBackward(xs, gammas, mean, rstd, dz)

	tape := NewTape(c.Graph)
	w := BatchNormWeights{
		c.Input("gamma", gamma0, width), c.Input("beta", beta0, width),
		c.InOut("mean", mean0, width), c.InOut("var", var0, width), c.InOut("batches", []float32{41}),
	}
	x, xGrad := c.Input("x", x0, rows, width), c.InOut("dx", dx0, rows, width)
	gammaGrad, betaGrad := c.InOut("dgamma", dgamma0, width), c.Output("dbeta", gpu.F32, width)
	tape.Param(x, xGrad, true)
	tape.Param(w.Weight, gammaGrad, true)
	tape.Param(w.Bias, betaGrad, false)
	var residual, residualGrad *gpu.Tensor
	if k.residual {
		residual, residualGrad = c.Input("residual", res0, rows, width), c.Output("dresidual", gpu.F32, rows, width)
		tape.Param(residual, residualGrad, false)
	}
	out := recordBatchNorm(tape, kind, x, w, residual, true)
	kept := c.Keep(out)
	tape.Backward(out, c.Input("dy", dy0, rows, width))
	c.Run()

	// Sums run through chains of 64 terms, in up to three stages, and of means
	// the rounding is relative to the mean itself.
	const chain = 3 * 64 / 2
	e := bounds{width: width, size: make([]float64, width), rstd: rstd, mean: mean}
	for i, v := range xs {
		e.size[i%width] = max(e.size[i%width], math.Abs(v-mean[i%width]))
	}
	moved := func(old []float32, new []float64, unbiased float64) []float64 {
		v := make([]float64, width)
		for i := range v {
			v[i] = 0.9*float64(old[i]) + 0.1*unbiased*new[i]
		}
		return v
	}
	c.Near(kept, y, func(i int, _ float64) float64 {
		return gputest.Epsilon * (chain*e.xhat(i)*math.Abs(gammas[i%width]) + 4*math.Abs(z[i]) + 4)
	})
	if k.residual {
		c.Near(residualGrad, dz, gputest.Eps(0))
	}
	terms := make([]float64, 2*width) // of dgamma, dbeta
	for i, d := range dz {
		terms[i%width] += math.Abs(d) * (e.xhat(i) + 1)
		terms[width+i%width] += math.Abs(d)
	}
	c.Near(gammaGrad, plus(dgamma, gputest.Float64(dgamma0)), func(i int, _ float64) float64 {
		return gputest.Epsilon * (chain*terms[i] + math.Abs(float64(dgamma0[i])))
	})
	c.Near(betaGrad, dbeta, gputest.EpsTerms(chain, terms[width:]))
	c.Near(xGrad, plus(dx, gputest.Float64(dx0)), func(i int, _ float64) float64 {
		j := i % width
		sums := (terms[width+j] + e.xhat(i)*terms[j]) / float64(rows)
		return gputest.Epsilon * (chain*math.Abs(gammas[j])*rstd[j]*(math.Abs(dz[i])+sums)*(1+e.xhat(i)) + math.Abs(float64(dx0[i])))
	})
	c.Near(w.Mean, moved(mean0, mean, 1), func(i int, want float64) float64 {
		return gputest.Epsilon * (2*math.Abs(float64(mean0[i])) + 0.2*math.Abs(mean[i]) + chain*0.1*e.size[i])
	})
	c.Near(w.Var, moved(var0, variance, float64(rows)/float64(rows-1)), func(i int, want float64) float64 {
		return gputest.Epsilon * (2*math.Abs(float64(var0[i])) + chain*0.1*variance[i]*(1+math.Abs(mean[i])*rstd[i]))
	})
	c.Near(w.Batches, []float64{42}, gputest.Eps(0))
}

// bounds tells how far rounding can move the values of a batch norm.
type bounds struct {
	width            int
	size, rstd, mean []float64 // of each channel: largest distance from the mean, …
}

// xhat is what the rounding of element i's normalised value is relative to.
func (b bounds) xhat(i int) float64 {
	c := i % b.width
	return b.rstd[c] * (math.Abs(b.mean[c]) + b.size[c])
}

// Evaluation takes the running statistics and leaves them alone.
func TestBatchNormRunning(t *testing.T) {
	for kind, k := range batchNormKinds {
		for _, size := range []struct{ rows, width int }{{1, 1}, {1, 5}, {333, 33}, {1009, 64}} {
			t.Run(fmt.Sprintf("%s/%dx%d", k.name, size.rows, size.width), func(t *testing.T) {
				rows, width := size.rows, size.width
				n := rows * width
				x0, res0 := gputest.Normal(1, n), gputest.Normal(2, n)
				gamma0, beta0 := gputest.Normal(3, width), gputest.Normal(4, width)
				mean0, var0 := gputest.Normal(5, width), gputest.Uniform(6, width, 0.01, 2)
				c := gputest.New(t)
				w := BatchNormWeights{
					c.Input("gamma", gamma0, width), c.Input("beta", beta0, width),
					c.InOut("mean", mean0, width), c.InOut("var", var0, width), c.InOut("batches", []float32{41}),
				}
				y := recordBatchNorm(NewTape(c.Graph), kind, c.Input("x", x0, 1, rows, width), w, c.Input("residual", res0, 1, rows, width), false)
				if fmt.Sprint(y.Shape) != fmt.Sprint([]int{1, rows, width}) {
					t.Errorf("%v", y)
				}
				kept := c.Keep(y)
				c.Run()
				rstd := make([]float64, width)
				for i, v := range var0 {
					rstd[i] = 1 / math.Sqrt(float64(v)+BatchNormEps)
				}
				want := ref.BatchNorm(gputest.Float64(x0), gputest.Float64(gamma0), gputest.Float64(beta0), gputest.Float64(mean0), rstd)
				// A difference, 1/sqrt(var + eps) to 7.5 units (Vulkan: 4.5 of the root, 2.5
				// of the division), two products, two sums; GELU as in testGemm.
				units := 10.0
				if k.act == gelu {
					units = 1.13*units + 8
				}
				terms := make([]float64, n)
				for i := range want {
					j := i % width
					terms[i] = (math.Abs(float64(x0[i]))+math.Abs(float64(mean0[j])))*rstd[j]*math.Abs(float64(gamma0[j])) + math.Abs(float64(beta0[j]))
					if k.residual {
						want[i] += float64(res0[i])
						terms[i] += math.Abs(float64(res0[i]))
					}
					want[i], _ = k.function(want[i])
				}
				c.Near(kept, want, gputest.EpsTerms(units, terms))
				c.Near(w.Mean, gputest.Float64(mean0), gputest.Eps(0))
				c.Near(w.Var, gputest.Float64(var0), gputest.Eps(0))
				c.Near(w.Batches, []float64{41}, gputest.Eps(0))
			})
		}
	}
}

// A number that is not finite must not be lost in a ReLU.
func TestBatchNormKeepsNaN(t *testing.T) {
	c := gputest.New(t)
	x := gputest.Normal(1, 10)
	x[3] = float32(math.NaN())
	w := normWeights(c, 1)
	y := c.Keep(BatchNormReLU(NewTape(c.Graph), c.Input("x", x, 10, 1), w, true))
	c.Run()
	for i, v := range c.Floats(y) {
		if v == v {
			t.Errorf("element %d is %v", i, v)
		}
	}
}

// normWeights are those of a batch norm that changes nothing but the statistics.
func normWeights(c *gputest.Case, width int) BatchNormWeights {
	one, zero := ones(width), make([]float32, width)
	return BatchNormWeights{
		c.Input("gamma", one, width), c.Input("beta", zero, width),
		c.InOut("mean", zero, width), c.InOut("var", one, width), c.InOut("batches", []float32{0}),
	}
}

func TestBatchNormRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		rows  int
		train bool
		leaf  bool
		width int
		want  string
	}{
		"one value":         {1, true, false, 3, "training needs more than one value per channel"},
		"running gradients": {4, false, true, 3, "evaluation has no gradient"},
		"other channels":    {4, true, false, 4, "batch norm of"},
	} {
		t.Run(name, func(t *testing.T) {
			s, tape := gpu.NewStore(), NewTape(gpu.NewGraph(gpu.MinimalCaps))
			x := s.New("x", gpu.F32, c.rows, 3)
			if c.leaf {
				tape.Param(x, s.New("dx", gpu.F32, c.rows, 3), false)
			}
			list := map[string]*gpu.Tensor{}
			for _, p := range BatchNormParams("bn", c.width) {
				list[p.Name] = s.New(p.Name, gpu.F32, p.Shape...)
			}
			w := Weights(func(name string) *gpu.Tensor { return list[name] }).BatchNorm("bn")
			BatchNormReLU(tape, x, w, c.train)
			if err := tape.G.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func BenchmarkBatchNorm(b *testing.B) {
	const rows, width = 64 * 56 * 56, 64
	weights := func(s *source) BatchNormWeights {
		return BatchNormWeights{s.normal(width), s.normal(width), s.normal(width), s.normal(width), s.normal()}
	}
	b.Run("forward", func(b *testing.B) {
		benchmark(b, 3*4*rows*width, 0, func(g *gpu.Graph, s *source) {
			BatchNormReLU(NewTape(g), s.normal(rows, width), weights(s), true)
		})
	})
	b.Run("both", func(b *testing.B) {
		benchmark(b, 8*4*rows*width, 0, func(g *gpu.Graph, s *source) {
			tape := NewTape(g)
			x, w := s.normal(rows, width), weights(s)
			tape.Param(x, s.normal(rows, width), false)
			tape.Param(w.Weight, s.normal(width), false)
			tape.Param(w.Bias, s.normal(width), false)
			tape.Backward(BatchNormReLU(tape, x, w, true), s.normal(rows, width))
		})
	})
}
