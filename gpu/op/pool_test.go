package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

var poolCases = []ref.Pool{
	{N: 1, H: 1, W: 1, C: 1, Size: 1, Stride: 1},
	{N: 2, H: 31, W: 33, C: 64, Size: 3, Stride: 2, Pad: 1}, // ResNet's
	{N: 2, H: 12, W: 9, C: 3, Size: 3, Stride: 2, Pad: 1},
	{N: 3, H: 8, W: 10, C: 12, Size: 2, Stride: 2},
	{N: 2, H: 7, W: 5, C: 7, Size: 3, Stride: 1, Pad: 1},
	{N: 2, H: 11, W: 13, C: 4, Size: 2, Stride: 3}, // pixels of no window
	{N: 1, H: 16, W: 17, C: 4, Size: 7, Stride: 2, Pad: 3},
}

// Values of few kinds, so that windows have several maxima. Every variant of the
// backward reads what any variant of the forward kept.
func TestMaxPool(t *testing.T) {
	variants(t, maxPoolFwd, func(t *testing.T) {
		variants(t, maxPoolBwd, func(t *testing.T) {
			for _, p := range poolCases {
				for _, accumulate := range []bool{false, true} {
					t.Run(fmt.Sprintf("%+v/accumulate=%v", p, accumulate), func(t *testing.T) {
						testMaxPool(t, p, accumulate, 0)
					})
				}
			}
			t.Run("cut", func(t *testing.T) {
				testMaxPool(t, ref.Pool{N: 5, H: 8, W: 8, C: 16, Size: 3, Stride: 2, Pad: 1}, false, 4*2*8*8*16)
			})
		})
	})
}

func testMaxPool(t *testing.T, p ref.Pool, accumulate bool, binding int64) {
	k := gputest.New(t)
	if binding != 0 {
		caps := k.Dev.Caps()
		caps.MaxBinding = binding
		k.Graph = gpu.NewGraph(caps)
	}
	x := gputest.Normal(1, p.N*p.H*p.W*p.C)
	for i, v := range x {
		x[i] = float32(math.Round(float64(v)))
	}
	want, _ := p.Forward(gputest.Float64(x))
	dy := gputest.Normal(2, len(want))
	tape := NewTape(k.Graph)
	tx, dx, before := leaf(k, tape, "x", x, accumulate, p.N, p.H, p.W, p.C)
	var frozen *gpu.Tensor
	tape.NoGrad(func() { frozen = MaxPool(tape, tx, p.Size, p.Stride, p.Pad) })
	ty := MaxPool(tape, tx, p.Size, p.Stride, p.Pad)
	y, teacher := k.Keep(ty), k.Keep(frozen)
	tape.Backward(ty, k.Input("dy", dy, ty.Shape...))
	k.Run()
	k.Near(y, want, gputest.Eps(0))
	k.Near(teacher, want, gputest.Eps(0))
	// A pixel sums the gradients of the windows around it, and what was there.
	windows := math.Pow(math.Ceil(float64(p.Size)/float64(p.Stride)), 2)
	terms := plus(abs(before), p.Backward(gputest.Float64(x), abs(gputest.Float64(dy))))
	k.Near(dx, plus(before, p.Backward(gputest.Float64(x), gputest.Float64(dy))), gputest.EpsTerms(windows, terms))
}

// A NaN comes through and takes the gradient; so does -Inf where nothing else
// is.
func TestMaxPoolNaN(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, channels := range []int{1, 4} {
		p := ref.Pool{N: 1, H: 4, W: 4, C: channels, Size: 2, Stride: 2}
		var x []float32
		for _, v := range []float32{1, nan, inf, inf, 2, 3, inf, inf, nan, nan, 0, -1, 5, 4, -2, nan} {
			for range channels {
				x = append(x, v)
			}
		}
		k := gputest.New(t)
		tape := NewTape(k.Graph)
		tx, dx, _ := leaf(k, tape, "x", x, false, 1, 4, 4, channels)
		ty := MaxPool(tape, tx, p.Size, p.Stride, p.Pad)
		y := k.Keep(ty)
		dy := gputest.Normal(1, ty.Len())
		tape.Backward(ty, k.Input("dy", dy, ty.Shape...))
		k.Run()
		want, _ := p.Forward(gputest.Float64(x))
		k.Near(y, want, gputest.Eps(0))
		k.Near(dx, p.Backward(gputest.Float64(x), gputest.Float64(dy)), gputest.Eps(0))
	}
}

func TestAvgPool(t *testing.T) {
	for _, c := range []struct{ n, h, w, channels int }{{1, 1, 1, 1}, {3, 7, 7, 64}, {2, 5, 6, 31}, {4, 1, 3, 13}} {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v/accumulate=%v", c, accumulate), func(t *testing.T) {
				pixels := c.h * c.w
				x, dy := gputest.Normal(1, c.n*pixels*c.channels), gputest.Normal(2, c.n*c.channels)
				k := gputest.New(t)
				tape := NewTape(k.Graph)
				tx, dx, before := leaf(k, tape, "x", x, accumulate, c.n, c.h, c.w, c.channels)
				ty := AvgPool(tape, tx)
				y := k.Keep(ty)
				tape.Backward(ty, k.Input("dy", dy, c.n, c.channels))
				k.Run()
				x64, dy64 := gputest.Float64(x), gputest.Float64(dy)
				k.Near(y, ref.AvgPool(x64, c.n, pixels, c.channels),
					gputest.EpsTerms(math.Sqrt(float64(pixels))+4, ref.AvgPool(abs(x64), c.n, pixels, c.channels)))
				want := plus(before, ref.AvgPoolBackward(dy64, c.n, pixels, c.channels))
				k.Near(dx, want, gputest.EpsTerms(4, plus(abs(before), ref.AvgPoolBackward(abs(dy64), c.n, pixels, c.channels))))
			})
		}
	}
}

func TestPoolRefuses(t *testing.T) {
	for name, record := range map[string]func(t *Tape, x *gpu.Tensor){
		"padding": func(t *Tape, x *gpu.Tensor) { MaxPool(t, x, 3, 2, 2) },
		"size":    func(t *Tape, x *gpu.Tensor) { MaxPool(t, x, 16, 2, 0) },
		"stride":  func(t *Tape, x *gpu.Tensor) { MaxPool(t, x, 2, 0, 0) },
		"axes":    func(t *Tape, x *gpu.Tensor) { AvgPool(t, x.Reshape(2, 16, 4)) },
		"loop":    func(t *Tape, x *gpu.Tensor) { AvgPool(t, gpu.NewStore().New("x", gpu.F32, 1, 256, 256, 1)) },
	} {
		g := gpu.NewGraph(gpu.MinimalCaps)
		record(NewTape(g), gpu.NewStore().New("x", gpu.F32, 2, 4, 4, 4))
		if g.Err() == nil {
			t.Errorf("%s: recorded", name)
		}
		t.Log(g.Err())
	}
}

func BenchmarkMaxPool(b *testing.B) {
	const n, side, channels = 4, 112, 64
	for _, pass := range []string{"y", "dx"} {
		b.Run(pass, func(b *testing.B) {
			benchmark(b, 4*n*side*side*channels*5/4, 0, func(g *gpu.Graph, s *source) {
				tape := NewTape(g)
				x := s.normal(n, side, side, channels)
				if pass == "dx" {
					tape.Param(x, s.store.New("dx", gpu.F32, x.Shape...), false)
				}
				y := MaxPool(tape, x, 3, 2, 1)
				if pass == "dx" {
					tape.Backward(y, s.normal(y.Shape...))
				}
			})
		})
	}
}
