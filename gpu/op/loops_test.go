package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// The sizes here make a driver that leaves loops early (loops.go) give wrong
// sums, where the loops are not divided.

func ones(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

func repeat(v float64, n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func TestManySequences(t *testing.T) {
	const width, sequences = 3, 70_001
	k := gputest.New(t)
	tape := NewTape(k.Graph)
	patches := k.Input("patches", make([]float32, sequences*width), sequences, width)
	cls, dcls := k.Input("cls", make([]float32, width), width), k.InOut("dcls", ones(width), width)
	tape.Param(cls, dcls, true)
	pos, dpos, _ := leaf(k, tape, "pos", make([]float32, 2*width), false, 2, width)
	x := AddTokens(tape, patches, cls, []*gpu.Tensor{pos}, []Run{{sequences, 2}})
	tape.Backward(x, k.Input("dx", ones(x.Len()), x.Shape...))
	k.Run()
	k.Near(dcls, repeat(1+sequences, width), gputest.Eps(0))
	k.Near(dpos, repeat(sequences, 2*width), gputest.Eps(0))
}

// A coarse embedding for a large image: every source cell is read by most of
// the output.
func TestManyReaders(t *testing.T) {
	const side, rows, cols = 2, 300, 301
	k := gputest.New(t)
	tape := NewTape(k.Graph)
	pos, dpos, before := leaf(k, tape, "pos", make([]float32, 1+side*side), true, 1+side*side, 1)
	y := PosEmbed(tape, pos, 1, rows, cols)
	dy := gputest.Uniform(2, y.Len(), 0, 1)
	tape.Backward(y, k.Input("dy", dy, y.Shape...))
	k.Run()
	want := plus(before, ref.PosEmbedBackward(gputest.Float64(dy), side, rows, cols, 1))
	// Rounding errors of a sum of n terms that share signs grow as their number
	// at worst; each is below 1.
	k.Near(dpos, want, gputest.EpsOf(rows+cols, rows*cols))
}

// Products of few rows and columns, summed over very many, in one part.
func TestLongProduct(t *testing.T) {
	const m, n, part, parts = 8, 8, mostIterations / 2, 2
	variants(t, gemmKernel, func(t *testing.T) {
		for _, trans := range []bool{false, true} {
			t.Run(fmt.Sprint(trans), func(t *testing.T) {
				k := part*parts - 4
				c := gputest.New(t)
				p := GEMM{A: c.Input("a", ones(m*k), m, k), B: c.Input("b", ones(k*n), k, n), C: c.Output("c", gpu.F32, m, n), Alpha: 1}
				if trans {
					p.A, p.TransA = p.A.Reshape(k, m), true
				}
				size, err := p.size()
				if err != nil {
					t.Fatal(err)
				}
				sums := c.Graph.New("parts", gpu.F32, parts, m, n)
				sh, groups := p.shader(c.Graph, size)
				p.partial(c.Graph, sh, groups, size, sums, nil, part, 0)
				p.reduce(c.Graph, size, sums, 0)
				c.Run()
				c.Near(p.C, repeat(float64(k), m*n), gputest.Eps(0))
			})
		}
	})
}

// The mean luminance of a large crop, after the other jitter operations: of one
// colour, that is the colour's own.
func TestLargeCrop(t *testing.T) {
	const side = 2200
	crop := whole(side, side)
	crop.Flags, crop.Order = CropJitter, JitterOrder(JitterHue, JitterSaturation, JitterBrightness, JitterContrast)
	crop.Brightness, crop.Contrast, crop.Saturation, crop.Hue = 1.2, 0.7, 0.9, 0.05
	color := picture(8, 1, 1)
	pixels := make([]uint32, side*side)
	for i := range pixels {
		pixels[i] = uint32(color.Pix[0]) | uint32(color.Pix[1])<<8 | uint32(color.Pix[2])<<16
	}
	c := gputest.New(t)
	stats := c.Output("stats", gpu.U32, 1, 4)
	c.Graph.Dispatch(c.Graph.Pick(augmentStats, nil), gpu.Groups{1, 1, 1},
		struct{ First, Count, Width, Height uint32 }{0, 1, side, side},
		c.InputU32("crops", wordsOf(t, crop), 1, cropWords), c.InputU32("pixels", pixels, side*side), stats)
	c.Run()
	v := color.Hue(crop.Hue).Saturation(crop.Saturation).Brightness(crop.Brightness).Grayscale().Pix[0]
	if got := c.Words(stats)[0]; got != uint32(v) {
		t.Errorf("mean luminance %d, want %d", got, v)
	}
}

// The longest line allowed, resized to the fewest pixels.
func TestLongLine(t *testing.T) {
	const size = 3
	b := pictureBatch(4, [2]int{longestSide, 4})
	crop := whole(longestSide, 4)
	crop.ResizedW, crop.ResizedH = size, size
	c := gputest.New(t)
	images, table := b.tensors(c, longestSide*4)
	r := renderer{g: c.Graph, images: images, table: table, width: size, height: size,
		lines: 8, taps: 4*longestSide/size + 2}
	out := c.Keep(r.render(c.InputU32("crops", wordsOf(t, crop), 1, cropWords), 0, 1))
	c.Run()
	equalLevels(t, c.Floats(out), []ref.RGB{ref.Crop(crop).Render(b.pictures[0], size, size)})
}

// However many and wide the rows, no lane loops too often.
func TestLanesOfWideRows(t *testing.T) {
	for _, kind := range []gpu.Kind{gpu.CPU, gpu.Discrete} {
		caps := gpu.MinimalCaps
		caps.Kind = kind
		for _, rows := range []int{1, 7, 512, 4096} {
			for _, width := range []int{384, 65536, 262144, 1 << 22} {
				if n := lanes(caps, rows, width); n < 64 && rowPasses*(width/4/n) > mostIterations {
					t.Errorf("%v: %d lanes for %d rows of %d", kind, n, rows, width)
				}
			}
		}
	}
}

// What would take too many iterations and cannot be divided is refused.
func TestTooLong(t *testing.T) {
	caps := gpu.MinimalCaps
	caps.Kind = gpu.CPU
	for name, record := range map[string]func(g *gpu.Graph, s *gpu.Store){
		"attention": func(g *gpu.Graph, s *gpu.Store) {
			Attention(NewTape(g), s.New("qkv", gpu.F32, 70_000, 3), 1, []Run{{1, 70_000}})
		},
		"probabilities": func(g *gpu.Graph, s *gpu.Store) {
			AttentionProbs(NewTape(g), s.New("qkv", gpu.F32, 40_000, 3), 1, 40_000, 1)
		},
		"row": func(g *gpu.Graph, s *gpu.Store) {
			L2Norm(NewTape(g), s.New("x", gpu.F32, 1, 8_000_000))
		},
		"crop": func(g *gpu.Graph, s *gpu.Store) {
			RenderCrops(g, s.New("images", gpu.U32, 1, 100), s.New("table", gpu.U32, 1, 4), s.New("crops", gpu.U32, 1, cropWords), 0, 1, 5000, 5000)
		},
		"neighbours": func(g *gpu.Graph, s *gpu.Store) {
			NearestNeighbours(g, s.New("queries", gpu.F32, 1, 1), s.New("candidates", gpu.F32, 70_000, 1), 66_000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := gpu.NewGraph(caps)
			if record(g, gpu.NewStore()); g.Err() == nil {
				t.Error("recorded")
			} else {
				t.Log(g.Err())
			}
		})
	}
}
