package op

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// The kernels must equal the integer models of package ref, which equal Pillow.

func TestCropLayout(t *testing.T) {
	for _, module := range []string{"augment_params", "augment_center", "augment_weights", "augment_color"} {
		if err := gpu.CheckBlock(module, "Crops", Crop{}); err != nil {
			t.Error(err)
		}
	}
}

// picture is a random one with flat, smooth and noisy parts, so that every
// hue, gray and extreme value occurs.
func picture(seed uint64, w, h int) ref.RGB {
	r := rand.New(rand.NewPCG(seed, 7))
	p := ref.NewRGB(w, h)
	for y := range h {
		for x := range w {
			v := p.At(x, y)
			switch (x/7 + y/5) % 4 {
			case 0:
				v[0], v[1], v[2] = uint8(x*9), uint8(y*11), uint8(x*y)
			case 1:
				g := uint8(r.Uint32())
				v[0], v[1], v[2] = g, g, g
			default:
				for c := range v {
					v[c] = uint8(min(max(r.IntN(400)-72, 0), 255))
				}
			}
		}
	}
	return p
}

// batch is pictures in the layout that the kernels read.
type batch struct {
	pictures []ref.RGB
	ids      []uint32
}

func pictureBatch(seed uint64, sizes ...[2]int) batch {
	var b batch
	for i, s := range sizes {
		b.pictures = append(b.pictures, picture(seed+uint64(i), s[0], s[1]))
		b.ids = append(b.ids, uint32(1000+i))
	}
	return b
}

// tensors packs the pictures, each into a row that holds area pixels.
func (b batch) tensors(c *gputest.Case, area int) (images, table *gpu.Tensor) {
	words := (3*area + 3) / 4
	packed, rows := make([]uint32, len(b.pictures)*words), []uint32(nil)
	for i, p := range b.pictures {
		for k, v := range p.Pix {
			packed[i*words+k/4] |= uint32(v) << (k % 4 * 8)
		}
		rows = append(rows, uint32(4*i*words), uint32(p.W), uint32(p.H), b.ids[i])
	}
	return c.InputU32("images", packed, len(b.pictures), words), c.InputU32("table", rows, len(b.pictures), 4)
}

// wordsOf gives structs of 4-byte fields as the words of a buffer.
func wordsOf[T any](t testing.TB, values ...T) []uint32 {
	t.Helper()
	var words []uint32
	for _, v := range values {
		bytes, err := gpu.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(bytes) > 0; bytes = bytes[4:] {
			words = append(words, binary.LittleEndian.Uint32(bytes))
		}
	}
	return words
}

// equalLevels compares normalised crops with exact ones, level by level.
func equalLevels(t testing.TB, got []float32, want []ref.RGB) {
	t.Helper()
	mean, std := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
	at := 0
	for i, p := range want {
		exact := p.Normalized()
		n, bad, first := p.W*p.H, 0, ""
		for k, w := range exact {
			v := float64(got[at+k])
			level := math.Round((v*std[k/n] + mean[k/n]) * 255)
			// Three roundings and two divisions of up to 2.5 units each, of
			// numbers up to 1 before the division by std.
			if level != float64(p.Pix[3*(k%n)+k/n]) || math.Abs(v-w) > 8*gputest.Epsilon/std[k/n] {
				if bad++; bad == 1 {
					first = fmt.Sprintf("channel %d, x %d, y %d: level %v, want %d", k/n, k%n%p.W, k%n/p.W, level, p.Pix[3*(k%n)+k/n])
				}
			}
		}
		if bad > 0 {
			t.Errorf("crop %d: %d of %d samples differ; the first is %s", i, bad, len(exact), first)
		}
		at += len(exact)
	}
	if at != len(got) {
		t.Errorf("%d values, want %d", len(got), at)
	}
}

// render makes crops on the device and compares them with the models.
func render(t *testing.T, b batch, area, width, height int, crops []Crop) {
	t.Helper()
	c := gputest.New(t)
	images, table := b.tensors(c, area)
	params := c.InputU32("params", wordsOf(t, crops...), len(crops), cropWords)
	out := c.Keep(RenderCrops(c.Graph, images, table, params, 0, len(crops), width, height))
	c.Run()
	var want []ref.RGB
	for _, crop := range crops {
		want = append(want, ref.Crop(crop).Render(b.pictures[crop.Image], width, height))
	}
	equalLevels(t, c.Floats(out), want)
}

// whole keeps a picture of that size whole.
func whole(width, height int) Crop {
	w, h := uint32(width), uint32(height)
	return Crop{W: w, H: h, ResizedW: w, ResizedH: h, Order: JitterOrder(0, 1, 2, 3), Brightness: 1, Contrast: 1, Saturation: 1}
}

func TestResize(t *testing.T) {
	b := pictureBatch(1, [2]int{48, 64}, [2]int{61, 47}, [2]int{1, 1}, [2]int{5, 90}, [2]int{200, 15})
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{1, 13, 32, 70} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var crops []Crop
			for range 6 {
				for i, p := range b.pictures {
					c := whole(size, 2*size)
					c.Image = uint32(i)
					c.W, c.H = 1+r.Uint32N(uint32(min(p.W, 64))), 1+r.Uint32N(uint32(min(p.H, 64)))
					c.X, c.Y = r.Uint32N(uint32(p.W)-c.W+1), r.Uint32N(uint32(p.H)-c.H+1)
					c.Flags = r.Uint32N(2) * CropFlip
					crops = append(crops, c)
				}
			}
			render(t, b, 48*64, size, 2*size, crops)
		})
	}
}

func TestColorOperations(t *testing.T) {
	const width, height = 40, 26
	b := pictureBatch(11, [2]int{width, height})
	for name, set := range map[string]func(c *Crop, u float32){
		"flip":     func(c *Crop, u float32) { c.Flags = CropFlip },
		"gray":     func(c *Crop, u float32) { c.Flags = CropGray },
		"solarize": func(c *Crop, u float32) { c.Flags = CropSolarize },
		"brightness": func(c *Crop, u float32) {
			c.Flags, c.Order, c.Brightness = CropJitter, JitterOrder(JitterBrightness), 0.6+0.8*u
		},
		"contrast": func(c *Crop, u float32) {
			c.Flags, c.Order, c.Contrast = CropJitter, JitterOrder(JitterContrast), 0.6+0.8*u
		},
		"saturation": func(c *Crop, u float32) {
			c.Flags, c.Order, c.Saturation = CropJitter, JitterOrder(JitterSaturation), 0.8+0.4*u
		},
		"hue":  func(c *Crop, u float32) { c.Flags, c.Order, c.Hue = CropJitter, JitterOrder(JitterHue), u-0.5 },
		"blur": func(c *Crop, u float32) { c.Flags, c.Radius = CropBlur, 0.1+2.3*u },
	} {
		t.Run(name, func(t *testing.T) {
			var crops []Crop
			for i := range 21 {
				c := whole(width, height)
				set(&c, float32(i)/20)
				crops = append(crops, c)
			}
			render(t, b, width*height, width, height, crops)
		})
	}
}

// A million colours spread over all 2^24.
func TestHueOfManyColors(t *testing.T) {
	const size = 1000
	p := ref.NewRGB(size, size)
	for i := range size * size {
		rgb := uint32(i) * 17 % (1 << 24)
		p.Pix[3*i], p.Pix[3*i+1], p.Pix[3*i+2] = uint8(rgb), uint8(rgb>>8), uint8(rgb>>16)
	}
	c := whole(size, size)
	c.Flags, c.Hue = CropJitter, 0.037
	render(t, batch{[]ref.RGB{p}, []uint32{1}}, size*size, size, size, []Crop{c})
}

func TestJitterOrders(t *testing.T) {
	const size = 24
	b := pictureBatch(21, [2]int{size, size})
	var crops []Crop
	for n := range uint32(24) {
		c := whole(size, size)
		c.Flags, c.Order = CropJitter, ref.Permutation(n)
		c.Brightness, c.Contrast, c.Saturation, c.Hue = 1.21, 0.74, 1.13, -0.061
		crops = append(crops, c)
	}
	render(t, b, size*size, size, size, crops)
}

// The edges are repeated however few pixels there are.
func TestBlurSizes(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 8, 9, 17} {
		b := pictureBatch(uint64(size), [2]int{size, size})
		var crops []Crop
		for _, radius := range []float32{0.1, 1.3, 1.43, 2} {
			c := whole(size, size)
			c.Flags, c.Radius = CropBlur|CropSolarize, radius
			crops = append(crops, c)
		}
		render(t, b, size*size, size, size, crops)
	}
}

func TestBlurBoxes(t *testing.T) {
	const n = 600
	crops := make([]Crop, n)
	for i := range crops {
		crops[i] = whole(1, 1)
		crops[i].Flags, crops[i].Radius = CropBlur, 0.1+2.3*float32(i)/n
	}
	c := gputest.New(t)
	params := c.InputU32("params", wordsOf(t, crops...), n, cropWords)
	pixels := c.InputU32("pixels", make([]uint32, n), n, 1, 1)
	stats := c.Output("stats", gpu.U32, n, 4)
	c.Graph.Dispatch(c.Graph.Pick(augmentStats, nil), grid(c.Graph, n, 1),
		struct{ First, Count, Width, Height uint32 }{0, n, 1, 1}, params, pixels, stats)
	c.Run()
	words := c.Words(stats)
	for i, crop := range crops {
		want := ref.GaussianBox(crop.Radius)
		if got := (ref.Box{Radius: words[4*i+1], Inner: words[4*i+2], Outer: words[4*i+3]}); got != want {
			t.Fatalf("radius %v: box %+v, want %+v", crop.Radius, got, want)
		}
	}
}

// law is the distribution of crop i as the model wants it.
func (a Augmentation) law(i int) ref.CropLaw {
	l := ref.CropLaw{Flip: a.Flip, Jitter: a.Jitter, Gray: a.Gray, Brightness: a.Brightness, Contrast: a.Contrast, Saturation: a.Saturation, Hue: a.Hue}
	scale, kind := a.GlobalScale, min(i, 1)
	l.Size = uint32(a.GlobalSize)
	if i >= a.Globals {
		l.Size, scale, kind = uint32(a.LocalSize), a.LocalScale, 2
	}
	l.Scale, l.ScaleSpan = scale[0], scale[1]-scale[0]
	l.Blur, l.Solarize = a.Blur[kind], a.Solarize[kind]
	return l
}

func small() Augmentation {
	a := DefaultAugmentation()
	a.GlobalSize, a.LocalSize, a.Locals = 32, 16, 3
	return a
}

// stepOf is a StepParams buffer of a seed and an epoch.
func stepOf(c *gputest.Case, seed [2]uint32, epoch uint32) *gpu.Tensor {
	c.Helper()
	words := wordsOf(c.TB, StepParams{SeedLo: seed[0], SeedHi: seed[1], Epoch: epoch})
	return c.InputU32("step", words, len(words))
}

// The whole augmentation of pictures of every shape: draws to the bit, crops to
// the level.
func TestAugment(t *testing.T) {
	b := pictureBatch(31, [2]int{48, 64}, [2]int{32, 32}, [2]int{64, 48}, [2]int{1, 1}, [2]int{3, 700}, [2]int{300, 9}, [2]int{55, 55})
	for _, s := range []struct {
		seed  [2]uint32
		epoch uint32
		hue   float32
	}{{[2]uint32{0, 0}, 0, 0.1}, {[2]uint32{0xdeadbeef, 42}, 99, 0}} {
		t.Run(fmt.Sprintf("seed %v epoch %d hue %v", s.seed, s.epoch, s.hue), func(t *testing.T) {
			a := small()
			a.Hue = s.hue
			c := gputest.New(t)
			images, table := b.tensors(c, 64*48)
			crops := Augment(c.Graph, a, images, table, stepOf(c, s.seed, s.epoch))
			params, globals, locals := c.Keep(crops.Params), c.Keep(crops.Globals), c.Keep(crops.Locals)
			c.Run()
			var drawn []Crop
			var want [2][]ref.RGB
			for i := range a.Globals + a.Locals {
				for k, p := range b.pictures {
					crop := a.law(i).Draw(s.seed, s.epoch, b.ids[k], uint32(i), uint32(p.W), uint32(p.H))
					crop.Image = uint32(k)
					drawn = append(drawn, Crop(crop))
					group := 0
					if i >= a.Globals {
						group = 1
					}
					want[group] = append(want[group], crop.Render(p, int(crop.ResizedW), int(crop.ResizedH)))
				}
			}
			equalWords(t, "crops drawn", c.Words(params), wordsOf(t, drawn...))
			equalLevels(t, c.Floats(globals), want[0])
			equalLevels(t, c.Floats(locals), want[1])
		})
	}
}

func equalWords(t testing.TB, what string, got, want []uint32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d words, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: word %d (crop %d, field %d) is %#x, want %#x", what, i, i/cropWords, i%cropWords, got[i], want[i])
		}
	}
}
