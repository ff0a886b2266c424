package op

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// convCase is a convolution and how its gradients are asked for.
type convCase struct {
	ref.Conv
	accumulate bool
	binding    int64  // limit on a binding's bytes, 0 = the device's
	groups     uint32 // limit on the workgroups of a grid's second axis, 0 = the device's
}

var convCases = []convCase{
	{Conv: ref.Conv{N: 1, H: 1, W: 1, Ci: 1, Co: 1, Kh: 1, Kw: 1, Stride: 1}},
	{Conv: ref.Conv{N: 2, H: 5, W: 7, Ci: 12, Co: 20, Kh: 1, Kw: 1, Stride: 1}, accumulate: true},
	{Conv: ref.Conv{N: 2, H: 5, W: 7, Ci: 12, Co: 20, Kh: 1, Kw: 1, Stride: 1, Pad: 1}},
	{Conv: ref.Conv{N: 3, H: 7, W: 6, Ci: 8, Co: 12, Kh: 1, Kw: 1, Stride: 2}},
	{Conv: ref.Conv{N: 3, H: 7, W: 6, Ci: 8, Co: 12, Kh: 1, Kw: 1, Stride: 2}, accumulate: true},
	{Conv: ref.Conv{N: 2, H: 9, W: 11, Ci: 4, Co: 4, Kh: 3, Kw: 3, Stride: 1}},
	{Conv: ref.Conv{N: 2, H: 9, W: 11, Ci: 8, Co: 16, Kh: 3, Kw: 3, Stride: 1, Pad: 1}, accumulate: true},
	{Conv: ref.Conv{N: 3, H: 8, W: 9, Ci: 16, Co: 8, Kh: 3, Kw: 3, Stride: 2, Pad: 1}},
	{Conv: ref.Conv{N: 2, H: 6, W: 7, Ci: 64, Co: 64, Kh: 3, Kw: 3, Stride: 1, Pad: 1}},
	{Conv: ref.Conv{N: 2, H: 13, W: 12, Ci: 64, Co: 128, Kh: 3, Kw: 3, Stride: 2, Pad: 1}, accumulate: true},
	{Conv: ref.Conv{N: 2, H: 7, W: 6, Ci: 7, Co: 5, Kh: 3, Kw: 3, Stride: 1, Pad: 1}, accumulate: true}, // nothing by fours
	{Conv: ref.Conv{N: 1, H: 7, W: 8, Ci: 13, Co: 11, Kh: 3, Kw: 3, Stride: 2}},
	{Conv: ref.Conv{N: 2, H: 8, W: 5, Ci: 8, Co: 3, Kh: 3, Kw: 3, Stride: 2, Pad: 1}},
	{Conv: ref.Conv{N: 2, H: 31, W: 33, Ci: 3, Co: 64, Kh: 7, Kw: 7, Stride: 2, Pad: 3}}, // ResNet's first
	{Conv: ref.Conv{N: 2, H: 17, W: 16, Ci: 3, Co: 8, Kh: 7, Kw: 7, Stride: 1, Pad: 3}, accumulate: true},
	{Conv: ref.Conv{N: 2, H: 9, W: 10, Ci: 1, Co: 4, Kh: 7, Kw: 7, Stride: 2}},
	{Conv: ref.Conv{N: 2, H: 12, W: 9, Ci: 4, Co: 8, Kh: 2, Kw: 5, Stride: 3, Pad: 1}},   // more stride than kernel
	{Conv: ref.Conv{N: 1, H: 3, W: 4, Ci: 4, Co: 4, Kh: 5, Kw: 4, Stride: 1, Pad: 3}},    // a kernel larger than the image
	{Conv: ref.Conv{N: 24, H: 16, W: 15, Ci: 4, Co: 4, Kh: 3, Kw: 3, Stride: 1, Pad: 1}}, // a weight gradient in parts
	{Conv: ref.Conv{N: 5, H: 8, W: 8, Ci: 8, Co: 4, Kh: 3, Kw: 3, Stride: 2, Pad: 1}, binding: 2 * 64 * 8 * 4},
	{Conv: ref.Conv{N: 70, H: 3, W: 1, Ci: 3, Co: 5, Kh: 3, Kw: 1, Stride: 1, Pad: 1}, binding: 65 * 45 * 4, accumulate: true},
	{Conv: ref.Conv{N: 3, H: 15, W: 16, Ci: 64, Co: 64, Kh: 3, Kw: 3, Stride: 2, Pad: 1}, groups: 1, accumulate: true},
}

func TestConv(t *testing.T) {
	for _, k := range []*gpu.Kernel{convKernel, convDWKernel} {
		variants(t, k, func(t *testing.T) {
			for _, c := range convCases {
				t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) { testConv(t, c) })
			}
		})
	}
}

func testConv(t *testing.T, c convCase) {
	k := gputest.New(t)
	caps := k.Dev.Caps()
	if c.binding != 0 {
		caps.MaxBinding = c.binding
	}
	if c.groups != 0 {
		caps.MaxGroups[1] = c.groups
	}
	k.Graph = gpu.NewGraph(caps)
	height, width := c.Out()
	x := gputest.Normal(1, c.N*c.H*c.W*c.Ci)
	w := gputest.Normal(2, c.Co*c.Ci*c.Kh*c.Kw)
	dy := gputest.Normal(3, c.N*height*width*c.Co)
	tape := NewTape(k.Graph)
	tx, dx, oldX := leaf(k, tape, "x", x, c.accumulate, c.N, c.H, c.W, c.Ci)
	tw, dw, oldW := leaf(k, tape, "w", w, c.accumulate, c.Co, c.Ci, c.Kh, c.Kw)
	ty := Conv2D(tape, tx, tw, c.Stride, c.Pad)
	y := k.Keep(ty)
	tape.Backward(ty, k.Input("dy", dy, c.N, height, width, c.Co))
	k.Run()

	x64, w64, dy64 := gputest.Float64(x), gputest.Float64(w), gputest.Float64(dy)
	// The rounding of a sum of n terms grows as √n; n is at most this.
	units := func(n int) float64 { return math.Sqrt(float64(n)) + 4 }
	k.Near(y, c.Forward(x64, w64), gputest.EpsTerms(units(c.Kh*c.Kw*c.Ci), c.Forward(abs(x64), abs(w64))))
	wantX, wantW := c.Backward(x64, w64, dy64)
	termsX, termsW := c.Backward(abs(x64), abs(w64), abs(dy64))
	k.Near(dx, plus(oldX, wantX), gputest.EpsTerms(units(c.Kh*c.Kw*c.Co), plus(abs(oldX), termsX)))
	k.Near(dw, plus(oldW, wantW), gputest.EpsTerms(units(c.N*height*width), plus(abs(oldW), termsW)))
}

// The teacher's convolution keeps nothing for a backward; images without a
// gradient get none.
func TestConvFrozen(t *testing.T) {
	const n, side, co = 2, 9, 8
	c := ref.Conv{N: n, H: side, W: side, Ci: 3, Co: co, Kh: 7, Kw: 7, Stride: 2, Pad: 3}
	height, width := c.Out()
	x, w := gputest.Normal(1, n*side*side*3), gputest.Normal(2, co*3*49)
	dy := gputest.Normal(3, n*height*width*co)
	k := gputest.New(t)
	tape := NewTape(k.Graph)
	tx := k.Input("x", x, n, side, side, 3)
	tw, dw, _ := leaf(k, tape, "w", w, false, co, 3, 7, 7)
	tape.NoGrad(func() { Conv2D(tape, tx, tw, 2, 3) })
	if tape.Needs(tx) {
		t.Error("the image needs a gradient")
	}
	y := Conv2D(tape, tx, tw, 2, 3)
	tape.Backward(y, k.Input("dy", dy, y.Shape...))
	k.Run()
	x64, w64, dy64 := gputest.Float64(x), gputest.Float64(w), gputest.Float64(dy)
	_, want := c.Backward(x64, w64, dy64)
	_, terms := c.Backward(abs(x64), abs(w64), abs(dy64))
	k.Near(dw, want, gputest.EpsTerms(math.Sqrt(float64(n*height*width))+4, terms))
}

func TestConvRefuses(t *testing.T) {
	for _, c := range []struct {
		name        string
		x, w        []int
		stride, pad int
		memory      bool // a smaller batch may help
	}{
		{"channels", []int{2, 8, 8, 4}, []int{8, 3, 3, 3}, 1, 1, false},
		{"axes", []int{2, 8, 8}, []int{8, 8, 3, 3}, 1, 1, false},
		{"kernel", []int{2, 8, 8, 4}, []int{8, 4, 9, 3}, 1, 0, false},
		{"stride", []int{2, 8, 8, 4}, []int{8, 4, 3, 3}, 0, 0, false},
		{"padding", []int{2, 8, 8, 4}, []int{8, 4, 3, 3}, 1, -1, false},
		{"loop", []int{1, 4, 4, 4000}, []int{4, 4000, 3, 3}, 1, 1, false},
		{"width", []int{1, 1, 70_000, 4}, []int{4, 4, 1, 3}, 1, 1, false},
		{"binding", []int{2, 1024, 1024, 64}, []int{4, 64, 3, 3}, 1, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, s := gpu.NewGraph(gpu.MinimalCaps), gpu.NewStore()
			Conv2D(NewTape(g), s.New("x", gpu.F32, c.x...), s.New("w", gpu.F32, c.w...), c.stride, c.pad)
			if g.Err() == nil || errors.Is(g.Err(), gpu.ErrOutOfMemory) != c.memory {
				t.Errorf("error %v", g.Err())
			}
			t.Log(g.Err())
		})
	}
}

// Sums at the limit of what a loop may be long: whole numbers below 2^24 add
// exactly.
func TestLongConv(t *testing.T) {
	const channels = 3600 // of nine taps
	if c := (conv{ci: channels, kh: 3, kw: 3}); c.longestSum() > mostIterations || c.longestSum() < mostIterations*9/10 {
		t.Fatalf("%d rounds", c.longestSum())
	}
	variants(t, convKernel, func(t *testing.T) {
		k := gputest.New(t)
		y := k.Keep(Conv2D(NewTape(k.Graph), k.Input("x", ones(9*channels), 1, 3, 3, channels),
			k.Input("w", ones(4*channels*9), 4, channels, 3, 3), 1, 0))
		k.Run()
		k.Near(y, repeat(9*channels, 4), gputest.Eps(0))
	})
	variants(t, convDWKernel, func(t *testing.T) {
		const width, lines, parts = 2, mostIterations / (2 + 2), 2
		c, err := convOf(gpu.NewStore().New("x", gpu.F32, parts, lines, width, 4), gpu.NewStore().New("w", gpu.F32, 4, 4, 1, 1), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		k := gputest.New(t)
		x := k.Input("x", ones(parts*lines*width*4), parts, lines, width, 4)
		sums := k.Output("sums", gpu.F32, parts, 4, 1, 4)
		c.sumLines(k.Graph, sums, x, x, lines, 0)
		k.Run()
		k.Near(sums, repeat(lines*width, parts*16), gputest.Eps(0))
	})
}

// BenchmarkConv times convolutions of ResNet-18 and ResNet-50 on 4 images of
// 224 x 224 pixels.
func BenchmarkConv(b *testing.B) {
	for _, c := range []struct {
		name                         string
		side, ci, co, kernel, stride int
	}{
		{"stem", 224, 3, 64, 7, 2},
		{"layer1", 56, 64, 64, 3, 1},
		{"layer2.0", 56, 128, 128, 3, 2},
		{"layer2", 28, 128, 128, 3, 1},
		{"layer3", 14, 256, 256, 3, 1},
		{"layer4", 7, 512, 512, 3, 1},
		{"downsample", 56, 256, 512, 1, 2},
		{"pointwise", 56, 64, 256, 1, 1},
	} {
		const n = 4
		pad := c.kernel / 2
		out := (c.side+2*pad-c.kernel)/c.stride + 1
		flops := int64(2 * n * out * out * c.co * c.ci * c.kernel * c.kernel)
		for _, pass := range []string{"y", "dx", "dw"} {
			b.Run(c.name+"/"+pass, func(b *testing.B) {
				flops := flops
				if pass != "y" {
					flops *= 2 // the forward too
				}
				benchmark(b, 0, flops, func(g *gpu.Graph, s *source) {
					tape := NewTape(g)
					x, w := s.normal(n, c.side, c.side, c.ci), s.normal(c.co, c.ci, c.kernel, c.kernel)
					if pass == "dx" {
						tape.Param(x, s.store.New("dx", gpu.F32, x.Shape...), false)
					}
					if pass == "dw" {
						tape.Param(w, s.store.New("dw", gpu.F32, w.Shape...), false)
					}
					y := Conv2D(tape, x, w, c.stride, pad)
					if pass != "y" {
						tape.Backward(y, s.normal(y.Shape...))
					}
				})
			})
		}
	}
}
