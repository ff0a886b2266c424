package op

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// evalCrop is torchvision's Resize and CenterCrop of a w x h picture.
func evalCrop(w, h, resized, size int) ref.Crop {
	c := ref.Crop{W: uint32(w), H: uint32(h), ResizedW: uint32(resized), ResizedH: uint32(resized)}
	if w <= h {
		c.ResizedH = uint32(float64(resized*h) / float64(w))
	} else {
		c.ResizedW = uint32(float64(resized*w) / float64(h))
	}
	c.WindowX = uint32(math.RoundToEven(float64(int(c.ResizedW)-size) / 2))
	c.WindowY = uint32(math.RoundToEven(float64(int(c.ResizedH)-size) / 2))
	return c
}

func TestEvalTransform(t *testing.T) {
	b := pictureBatch(41, [2]int{48, 64}, [2]int{32, 32}, [2]int{64, 47}, [2]int{1, 1}, [2]int{3, 150}, [2]int{300, 9}, [2]int{77, 30})
	for _, size := range []int{14, 32, 50} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := gputest.New(t)
			images, table := b.tensors(c, 64*48)
			out := c.Keep(EvalTransform(c.Graph, images, table, size))
			c.Run()
			var want []ref.RGB
			for _, p := range b.pictures {
				want = append(want, evalCrop(p.W, p.H, size*256/224, size).Render(p, size, size))
			}
			equalLevels(t, c.Floats(out), want)
		})
	}
}

// Of a picture whose sides differ more than 64-fold only the middle is resized.
func TestEvalTransformOfLine(t *testing.T) {
	const size, resized = 224, 256
	p := picture(5, 2, 180)
	c := gputest.New(t)
	images, table := batch{[]ref.RGB{p}, []uint32{9}}.tensors(c, 360)
	out := c.Keep(EvalTransform(c.Graph, images, table, size))
	c.Run()
	middle := p.Crop(0, 26, 2, 128)
	equalLevels(t, c.Floats(out), []ref.RGB{evalCrop(2, 128, resized, size).Render(middle, size, size)})
}

// A crop is the same wherever in whatever batch its picture comes.
func TestCropsDependOnPictureOnly(t *testing.T) {
	a := small()
	b := pictureBatch(51, [2]int{48, 64}, [2]int{32, 32}, [2]int{64, 48}, [2]int{20, 60}, [2]int{55, 55})
	run := func(order ...int) (params []uint32, globals, locals []float32) {
		var part batch
		for _, i := range order {
			part.pictures, part.ids = append(part.pictures, b.pictures[i]), append(part.ids, b.ids[i])
		}
		c := gputest.New(t)
		images, table := part.tensors(c, 64*48)
		crops := Augment(c.Graph, a, images, table, stepOf(c, [2]uint32{5, 6}, 7))
		p, g, l := c.Keep(crops.Params), c.Keep(crops.Globals), c.Keep(crops.Locals)
		c.Run()
		return c.Words(p), c.Floats(g), c.Floats(l)
	}
	params, globals, locals := run(0, 1, 2, 3, 4)
	others := []int{3, 0, 4}
	params2, globals2, locals2 := run(others...)
	for crop := range a.Globals + a.Locals {
		for k, i := range others {
			one := params[(crop*5+i)*cropWords+1 : (crop*5+i+1)*cropWords] // without the row of the table
			two := params2[(crop*3+k)*cropWords+1 : (crop*3+k+1)*cropWords]
			if !slices.Equal(one, two) {
				t.Errorf("crop %d of picture %d: drawn %v, in another batch %v", crop, i, one, two)
			}
			row, x, y := crop, globals, globals2
			if crop >= a.Globals {
				row, x, y = crop-a.Globals, locals, locals2
			}
			n := len(x) / 5 / a.Globals
			if crop >= a.Globals {
				n = len(x) / 5 / a.Locals
			}
			if !slices.Equal(x[(row*5+i)*n:(row*5+i+1)*n], y[(row*3+k)*n:(row*3+k+1)*n]) {
				t.Errorf("crop %d of picture %d differs in another batch", crop, i)
			}
		}
	}
}

// Where bindings are small, the work is split: first over the crops, then over
// the pictures too.
func TestAugmentSplit(t *testing.T) {
	a := small()
	b := pictureBatch(61, [2]int{48, 64}, [2]int{32, 32}, [2]int{64, 48}, [2]int{20, 60}, [2]int{55, 55}, [2]int{50, 50}, [2]int{9, 100})
	run := func(binding int64) (globals, locals []float32) {
		c := gputest.New(t)
		caps := c.Dev.Caps()
		if binding > 0 {
			caps.MaxBinding = binding
		}
		c.Graph = gpu.NewGraph(caps)
		images, table := b.tensors(c, 64*48)
		crops := Augment(c.Graph, a, images, table, stepOf(c, [2]uint32{5, 6}, 7))
		// The crops in one piece are more than may be bound, but may be copied.
		g, l := c.Keep(crops.Globals), c.Keep(crops.Locals)
		c.Run()
		return c.Floats(g), c.Floats(l)
	}
	globals, locals := run(0)
	for _, binding := range []int64{70 << 10, 40 << 10} {
		g, l := run(binding)
		if !slices.Equal(g, globals) || !slices.Equal(l, locals) {
			t.Errorf("bindings of %d bytes: the crops differ", binding)
		}
	}
}

func TestAugmentErrors(t *testing.T) {
	for name, record := range map[string]func(g *gpu.Graph, s *gpu.Store){
		"no global crop": func(g *gpu.Graph, s *gpu.Store) {
			Augment(g, Augmentation{GlobalSize: 8}, s.New("images", gpu.U32, 2, 64), s.New("table", gpu.U32, 2, 4), s.New("step", gpu.U32, 22))
		},
		"another number of pictures": func(g *gpu.Graph, s *gpu.Store) {
			EvalTransform(g, s.New("images", gpu.U32, 2, 64), s.New("table", gpu.U32, 3, 4), 8)
		},
		"a size that overflows": func(g *gpu.Graph, s *gpu.Store) {
			EvalTransform(g, s.New("images", gpu.U32, 2, 64), s.New("table", gpu.U32, 2, 4), 15000)
		},
		"crops beyond the end": func(g *gpu.Graph, s *gpu.Store) {
			RenderCrops(g, s.New("images", gpu.U32, 2, 64), s.New("table", gpu.U32, 2, 4), s.New("crops", gpu.U32, 4, cropWords), 2, 4, 8, 8)
		},
	} {
		g := gpu.NewGraph(gpu.MinimalCaps)
		record(g, gpu.NewStore())
		if g.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What is drawn has the distribution that it should: every mean of n draws lies
// within five standard errors, and the seed is fixed.
func TestDrawnDistribution(t *testing.T) {
	const pictures, width, height = 3000, 120, 100
	a := DefaultAugmentation()
	c := gputest.New(t)
	var rows []uint32
	for i := range uint32(pictures) {
		rows = append(rows, 0, width, height, i)
	}
	table := c.InputU32("table", rows, pictures, 4)
	params := c.Keep(DrawCrops(c.Graph, a, table, stepOf(c, [2]uint32{17, 0}, 3)))
	c.Run()
	words := c.Words(params)

	type moment struct{ want, variance float64 } // of one draw
	chance := func(p float32) moment { return moment{float64(p), float64(p) * (1 - float64(p))} }
	uniform := func(low, high float64) moment { return moment{(low + high) / 2, (high - low) * (high - low) / 12} }
	for crop := range a.Globals + a.Locals {
		kind, scale := min(crop, 1), a.GlobalScale
		if crop >= a.Globals {
			kind, scale = 2, a.LocalScale
		}
		want := map[string]moment{
			"flip": chance(a.Flip), "jitter": chance(a.Jitter), "gray": chance(a.Gray),
			"blur": chance(a.Blur[kind]), "solarize": chance(a.Solarize[kind]),
			"brightness": uniform(0.6, 1.4), "contrast": uniform(0.6, 1.4), "saturation": uniform(0.8, 1.2),
			"hue": uniform(-0.1, 0.1), "radius": uniform(0.1, 2),
			"x": uniform(0, 1), "y": uniform(0, 1),
		}
		for op := range 4 {
			want[fmt.Sprint("operation ", op, " is first")] = chance(0.25)
		}
		sum := map[string]float64{}
		add := func(name string, v float64) { sum[name] += v }
		bit := func(name string, flags, mask uint32) {
			if flags&mask != 0 {
				add(name, 1)
			}
		}
		share, logRatio := 0.0, 0.0
		for i := range pictures {
			w := words[(crop*pictures+i)*cropWords:][:cropWords]
			float := func(k int) float64 { return float64(math.Float32frombits(w[k])) }
			for k, name := range []string{"flip", "jitter", "gray", "blur", "solarize"} {
				bit(name, w[9], 1<<k)
			}
			for k, name := range []string{"brightness", "contrast", "saturation", "hue", "radius"} {
				add(name, float(11+k))
			}
			add(fmt.Sprint("operation ", w[10]&15, " is first"), 1)
			// A place among the possible ones, as a number between 0 and 1.
			add("x", (float64(w[1])+0.5)/float64(width-w[3]+1))
			add("y", (float64(w[2])+0.5)/float64(height-w[4]+1))
			area := float64(w[3]*w[4]) / (width * height)
			share += area
			logRatio += math.Log(float64(w[3]) / float64(w[4]))
			if low, high := float64(scale[0]), float64(scale[1]); area < low*0.9 || area > high*1.1 {
				t.Fatalf("crop %d of picture %d has a share of %v", crop, i, area)
			}
		}
		for name, m := range want {
			if mean := sum[name] / pictures; math.Abs(mean-m.want) > 5*math.Sqrt(m.variance/pictures)+1e-6 {
				t.Errorf("crop %d: mean of %s is %v, want %v", crop, name, mean, m.want)
			}
		}
		// Boxes that do not fit are drawn again, which favours small ones; the
		// local ones nearly always fit.
		if crop >= a.Globals {
			m := uniform(float64(scale[0]), float64(scale[1]))
			if got := share / pictures; math.Abs(got-m.want) > 5*math.Sqrt(m.variance/pictures)+0.002 {
				t.Errorf("crop %d: mean share %v, want %v", crop, got, m.want)
			}
			if got := logRatio / pictures; math.Abs(got) > 5*math.Sqrt(uniform(-math.Log(4.0/3), math.Log(4.0/3)).variance/pictures)+0.002 {
				t.Errorf("crop %d: mean log ratio %v, want 0", crop, got)
			}
		}
	}
}

// The crops of DINO on photographs of 500 x 375 pixels, four at a time.
func BenchmarkAugment(b *testing.B) {
	const pictures, width, height = 4, 500, 375
	words := (3*width*height + 3) / 4
	benchmark(b, 0, 0, func(g *gpu.Graph, s *source) {
		images := s.normal(pictures, words) // its bytes are as good as any
		table := s.words([]uint32{
			0, width, height, 0, 4 * uint32(words), width, height, 1,
			8 * uint32(words), width, height, 2, 12 * uint32(words), width, height, 3,
		}, pictures, 4)
		Augment(g, DefaultAugmentation(), images, table, s.params())
	})
}
