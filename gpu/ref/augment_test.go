package ref

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The models are compared with Pillow's own output by the reference tests of
// package dino; here they are held to what must be so by definition.

func TestBicubicWeights(t *testing.T) {
	for _, c := range []struct{ in, out int }{{32, 32}, {64, 32}, {17, 32}, {1, 16}, {100, 7}, {592, 16}, {3, 1000}} {
		for x := range c.out {
			first, weights := BicubicWeights(c.in, c.out, x)
			if first < 0 || first+len(weights) > c.in {
				t.Fatalf("%v, %d: samples %d to %d lie outside", c, x, first, first+len(weights))
			}
			sum := int32(0)
			for _, w := range weights {
				sum += w
			}
			// Each weight is rounded by at most half a unit.
			if d := math.Abs(float64(sum - 1<<22)); d > float64(len(weights))/2 {
				t.Errorf("%v, %d: weights sum to %d, which is %v off 2^22", c, x, sum, d)
			}
		}
	}
}

func TestHSV(t *testing.T) {
	for _, c := range []struct{ rgb, hsv [3]uint8 }{
		{[3]uint8{0, 0, 0}, [3]uint8{0, 0, 0}},
		{[3]uint8{200, 200, 200}, [3]uint8{0, 0, 200}},
		{[3]uint8{255, 0, 0}, [3]uint8{0, 255, 255}},
		{[3]uint8{0, 255, 0}, [3]uint8{85, 255, 255}},
		{[3]uint8{0, 0, 128}, [3]uint8{170, 255, 128}},
		{[3]uint8{255, 255, 0}, [3]uint8{42, 255, 255}},
	} {
		h, s, v := ToHSV(c.rgb[0], c.rgb[1], c.rgb[2])
		if got := [3]uint8{h, s, v}; got != c.hsv {
			t.Errorf("HSV of %v = %v, want %v", c.rgb, got, c.hsv)
		}
	}
	for _, v := range []uint8{0, 1, 127, 255} {
		if r, g, b := FromHSV(85, 255, v); r != 0 || g != v || b != 0 {
			t.Errorf("a third of a turn at value %d gives %d %d %d, want pure green", v, r, g, b)
		}
	}
}

func TestGaussianBox(t *testing.T) {
	for radius := float32(0.1); radius <= 2; radius += 0.01 {
		b := GaussianBox(radius)
		if total := (2*b.Radius+1)*b.Inner + 2*b.Outer; total != 1<<24 && total != 1<<24-1 {
			t.Errorf("radius %v: weights of %+v sum to %d", radius, b, total)
		}
		// Three boxes have the variance of the Gaussian, by their construction.
		variance := 0.0
		for k := -int(b.Radius); k <= int(b.Radius); k++ {
			variance += float64(k*k) * float64(b.Inner)
		}
		variance += 2 * float64((b.Radius+1)*(b.Radius+1)) * float64(b.Outer)
		variance *= 3.0 / (1 << 24)
		// float32 steps leave about 1e-6 of the size, which the variance sees up to sixfold.
		if want := float64(radius) * float64(radius); math.Abs(variance-want) > 1e-5 {
			t.Errorf("radius %v: variance %v, want %v", radius, variance, want)
		}
	}
}

func TestPermutation(t *testing.T) {
	seen := map[uint32]bool{}
	for n := range uint32(24) {
		p := Permutation(n)
		ops := 0
		for i := range 4 {
			ops |= 1 << (p >> (4 * i) & 15)
		}
		if ops != 15 || p > 0xffff {
			t.Errorf("permutation %d = %04x misses an operation", n, p)
		}
		seen[p] = true
	}
	if len(seen) != 24 {
		t.Errorf("%d different orders, want 24", len(seen))
	}
}

// CropSize in float32 gives torchvision's float64 box, but for draws so near a
// tie that float32 cannot tell: the root of an area moves by at most 2e-7 of
// itself, here 1e-4 pixels.
func TestCropSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		width, height := 1+r.Uint32N(600), 1+r.Uint32N(600)
		share, logRatio := r.Float32(), (2*r.Float32()-1)*float32(math.Log(4.0/3))
		w, h := CropSize(width, height, share, logRatio)
		target := float64(width*height) * float64(share)
		ratio := math.Exp(float64(logRatio))
		for _, c := range []struct {
			got  uint32
			root float64
		}{{w, math.Sqrt(target * ratio)}, {h, math.Sqrt(target / ratio)}} {
			if d := math.Abs(float64(c.got) - c.root); d > 0.5+2e-7*c.root {
				t.Fatalf("seed 1,2: %dx%d share %v ratio %v: side %d, exactly %v", width, height, share, logRatio, c.got, c.root)
			}
		}
	}
}

func TestCentralCrop(t *testing.T) {
	for _, c := range []struct{ w, h, x, y, cw, ch uint32 }{
		{100, 20, 36, 0, 27, 20},
		{20, 100, 0, 36, 20, 27},
		{50, 50, 0, 0, 50, 50},
		{1, 1000, 0, 499, 1, 1},
		{4, 3, 0, 0, 4, 3},
	} {
		got := CentralCrop(c.w, c.h)
		if want := (Crop{X: c.x, Y: c.y, W: c.cw, H: c.ch}); got != want {
			t.Errorf("%dx%d: box %+v, want %+v", c.w, c.h, got, want)
		}
	}
}

// Blurring a constant picture and resizing it change nothing.
func TestConstantPicture(t *testing.T) {
	p := NewRGB(9, 5)
	for i := range p.Pix {
		p.Pix[i] = 77
	}
	for name, q := range map[string]RGB{"blur": p.Blur(1.7), "resize": p.Resize(14, 3)} {
		for _, v := range q.Pix {
			if v != 77 {
				t.Errorf("%s: sample %d, want 77", name, v)
				break
			}
		}
	}
}
