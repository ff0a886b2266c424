package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// dropFactors is what NewDropPath must draw.
func dropFactors(p StepParams, rate float32, layers int, pack Packing, ids []uint32) []float32 {
	var scale []float32
	for branch := range 2 * layers {
		keep := 1 - rate*float32(branch/2)/float32(max(layers, 2)-1)
		for crop := range pack.Crops {
			for _, id := range ids {
				w := ref.Philox([2]uint32{p.SeedLo, p.SeedHi}, [4]uint32{id, p.Epoch, uint32(crop), 0x10000 + uint32(branch)})
				if ref.PhiloxUniform(w[0]) < keep {
					scale = append(scale, 1/keep)
				} else {
					scale = append(scale, 0)
				}
			}
		}
	}
	return scale
}

func imageTable(c *gputest.Case, ids []uint32) *gpu.Tensor {
	var words []uint32
	for _, id := range ids {
		words = append(words, 0, 32, 32, id)
	}
	return c.InputU32("images", words, len(ids), 4)
}

func TestDropPathDraw(t *testing.T) {
	const layers, rate = 12, 0.3
	pack := Packing{Batch: 5, Crops: 10, Globals: 2, GlobalTokens: 5, LocalTokens: 2}
	ids := []uint32{7, 1 << 31, 3, 123456, 0}
	c := gputest.New(t)
	d := NewDropPath(c.Graph, rate, layers, pack, imageTable(c, ids), paramsInput(c, testParams))
	kept := c.Keep(d.scale)
	c.Run()
	want := gputest.Float64(dropFactors(testParams, rate, layers, pack, ids))
	c.Near(kept, want, gputest.Eps(2))

	// The last layer drops at the whole rate, the first never does.
	n := pack.Batch * pack.Crops
	first, last := 0, 0
	for i := range 2 * n {
		if want[i] == 0 {
			first++
		}
		if want[len(want)-1-i] == 0 {
			last++
		}
	}
	if dev := math.Abs(float64(last) - rate*float64(2*n)); first != 0 || dev > 4*math.Sqrt(rate*(1-rate)*float64(2*n)) {
		t.Errorf("of %d draws the first layer drops %d, the last %d", 2*n, first, last)
	}
}

func TestResidual(t *testing.T) {
	eachReading(t, []*gpu.Kernel{dropPathFwd, dropPathBwd}, testResiduals)
}

func testResiduals(t *testing.T) {
	for _, p := range []Packing{
		{Batch: 1, Crops: 2, Globals: 2, GlobalTokens: 1},
		{Batch: 3, Crops: 2, Globals: 2, GlobalTokens: 31},
		{Batch: 2, Crops: 6, Globals: 2, GlobalTokens: 65, LocalTokens: 17},
		{Batch: 3, Crops: 5, Globals: 2, GlobalTokens: 197, LocalTokens: 37},
	} {
		for _, width := range []int{1, 33, 96} {
			for _, rate := range []float32{0, 0.5} {
				for _, accumulate := range []bool{false, true} {
					t.Run(fmt.Sprintf("%+v/D=%d/rate=%g/accumulate=%t", p, width, rate, accumulate), func(t *testing.T) {
						testResidual(t, gputest.New(t), p, width, rate, accumulate)
					})
				}
			}
		}
	}
	t.Run("split", func(t *testing.T) {
		c := gputest.New(t)
		smallBindings(c, 64*32*4)
		testResidual(t, c, Packing{Batch: 2, Crops: 6, Globals: 2, GlobalTokens: 65, LocalTokens: 17}, 32, 0.5, true)
	})
}

func testResidual(t *testing.T, c *gputest.Case, pack Packing, width int, rate float32, accumulate bool) {
	const layers, layer, branch = 3, 2, 1
	rows := pack.Rows()
	n := rows * width
	ids := []uint32{11, 5, 900}[:pack.Batch]
	x0, f0, dy0, df0 := gputest.Normal(1, n), gputest.Normal(2, n), gputest.Normal(3, n), gputest.Normal(4, n)
	tape := NewTape(c.Graph)
	x, dx := c.Input("x", x0, rows, width), c.Output("dx", gpu.F32, rows, width)
	f, df := c.Input("f", f0, rows, width), c.Output("df", gpu.F32, rows, width)
	if accumulate {
		df = c.InOut("df", df0, rows, width)
	} else {
		clear(df0)
	}
	tape.Param(x, dx, false)
	tape.Param(f, df, accumulate)
	d := NewDropPath(c.Graph, rate, layers, pack, imageTable(c, ids), paramsInput(c, testParams))
	y := Residual(tape, x, f, d, layer, branch)
	kept := c.Keep(y)
	tape.Backward(y, c.Input("dy", dy0, rows, width))
	c.Run()

	sequences := pack.Batch * pack.Crops
	scale := make([]float64, sequences)
	for i := range scale {
		scale[i] = 1
	}
	if rate > 0 {
		drawn := gputest.Float64(dropFactors(testParams, rate, layers, pack, ids))
		copy(scale, drawn[(2*layer+branch)*sequences:])
	}
	sequence := func(row int) int {
		if split := pack.Globals * pack.Batch * pack.GlobalTokens; row >= split {
			return pack.Globals*pack.Batch + (row-split)/pack.LocalTokens
		}
		return row / pack.GlobalTokens
	}
	xs, dys := gputest.Float64(x0), gputest.Float64(dy0)
	want := ref.ResidualBackward(dys, scale, width, sequence)
	terms, yTerms := make([]float64, n), make([]float64, n)
	for i := range want {
		want[i] += float64(df0[i])
		s := scale[sequence(i/width)]
		terms[i] = s*math.Abs(dys[i]) + math.Abs(float64(df0[i]))
		yTerms[i] = s*math.Abs(float64(f0[i])) + math.Abs(xs[i])
	}
	c.Near(kept, ref.Residual(xs, gputest.Float64(f0), scale, width, sequence), gputest.EpsTerms(2, yTerms))
	c.Near(df, want, gputest.EpsTerms(2, terms))
	c.Near(dx, dys, gputest.Eps(0))
}

func TestDropPathErrors(t *testing.T) {
	pack := Packing{Batch: 2, Crops: 2, Globals: 2, GlobalTokens: 3}
	s := gpu.NewStore()
	images, params := s.New("images", gpu.U32, 2, 4), s.New("params", gpu.U32, 24)
	for name, record := range map[string]func(g *gpu.Graph){
		"rate": func(g *gpu.Graph) { NewDropPath(g, 1, 2, pack, images, params) },
		"rows": func(g *gpu.Graph) {
			d := NewDropPath(g, 0.1, 2, pack, images, params)
			Residual(NewTape(g), s.New("x", gpu.F32, 11, 8), s.New("f", gpu.F32, 11, 8), d, 0, 0)
		},
		"layer": func(g *gpu.Graph) {
			d := NewDropPath(g, 0.1, 2, pack, images, params)
			Residual(NewTape(g), s.New("x", gpu.F32, 12, 8), s.New("f", gpu.F32, 12, 8), d, 2, 0)
		},
		"shapes": func(g *gpu.Graph) {
			Residual(NewTape(g), s.New("x", gpu.F32, 12, 8), s.New("f", gpu.F32, 8, 8), nil, 0, 0)
		},
	} {
		g := gpu.NewGraph(gpu.MinimalCaps)
		if record(g); g.Err() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkResidual(b *testing.B) {
	const rows, width = 4096, 384
	benchmark(b, 3*4*rows*width, 2*rows*width, func(g *gpu.Graph, s *source) {
		Residual(NewTape(g), s.normal(rows, width), s.normal(rows, width), nil, 0, 0)
	})
}
