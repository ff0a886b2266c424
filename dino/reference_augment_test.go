package dino

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
	"dino-vk/gpu/ref"
)

// bitmap is an 8-bit picture of the reference.
type bitmap struct {
	w, h int
	rgb  []uint8
}

func readBitmap(t testing.TB, f *reference.File, name string) bitmap {
	t.Helper()
	x := f.Tensor(t, name)
	return bitmap{x.Shape[1], x.Shape[0], f.U8(t, name)}
}

// whole is the crop that leaves the picture as it is.
func (p bitmap) whole() op.Crop { return resizedCrop([4]int{0, 0, p.h, p.w}, p.w, p.h) }

// resizedCrop is the box {top, left, height, width} resized to w x h.
func resizedCrop(box [4]int, w, h int) op.Crop {
	return op.Crop{
		Y: uint32(box[0]), X: uint32(box[1]), H: uint32(box[2]), W: uint32(box[3]), ResizedW: uint32(w), ResizedH: uint32(h),
		Brightness: 1, Contrast: 1, Saturation: 1,
	}
}

// crop makes a crop of the picture on the device: (3, h, w), normalised.
func (p bitmap) crop(t *testing.T, crop op.Crop, w, h int) []float32 {
	t.Helper()
	area := max(p.w, p.h) * max(p.w, p.h)
	packed := make([]uint32, (3*area+3)/4)
	for i, v := range p.rgb {
		packed[i/4] |= uint32(v) << (i % 4 * 8)
	}
	bytes, err := gpu.Encode(crop)
	if err != nil {
		t.Fatal(err)
	}
	c := gputest.New(t)
	params := make([]uint32, len(bytes)/4)
	for i := range params {
		params[i] = uint32(bytes[4*i]) | uint32(bytes[4*i+1])<<8 | uint32(bytes[4*i+2])<<16 | uint32(bytes[4*i+3])<<24
	}
	out := c.Keep(op.RenderCrops(c.Graph,
		c.InputU32("images", packed, 1, len(packed)),
		c.InputU32("table", []uint32{0, uint32(p.w), uint32(p.h), 0}, 1, 4),
		c.InputU32("crops", params, 1, len(params)), 0, 1, w, h))
	c.Run()
	return c.Floats(out)
}

// augmentCase is the picture and the crop that give a tensor of the family.
type augmentCase struct {
	picture bitmap
	crop    op.Crop
}

// TestReferenceAugment demands every 8-bit picture of the reference exactly,
// and floats within the rounding of a few operations.
func TestReferenceAugment(t *testing.T) {
	a := readAugmentFamily(t)
	for _, f := range a.family.Files {
		if f.Name == "image" {
			continue // the input
		}
		t.Run(f.Name, func(t *testing.T) {
			if f.Name == "rrc_params" {
				checkBoxes(t, f)
				return
			}
			for _, x := range f.Tensors() {
				if x.Name != "boxes" {
					t.Run(x.Name, func(t *testing.T) { a.check(t, f, x) })
				}
			}
		})
	}
}

type augmentFamily struct {
	family *reference.Family
	image  bitmap
	config struct {
		Mean, Std    [3]float64
		OrderFactors struct{ Brightness, Contrast, Saturation, Hue float32 } `json:"order_factors"`
	}
}

func readAugmentFamily(t *testing.T) *augmentFamily {
	a := &augmentFamily{family: reference.Default().Family(t, "augment")}
	a.image = readBitmap(t, a.family.File("image"), "image")
	a.family.Decode(t, "config", &a.config)
	return a
}

// check makes one tensor on the device and compares.
func (a *augmentFamily) check(t *testing.T, f *reference.File, x *reference.Tensor) {
	c := a.caseOf(t, f, x.Name)
	mean, std := a.config.Mean, a.config.Std
	floats := x.DType == "F32"
	w, h := x.Shape[1], x.Shape[0]
	if floats {
		w, h = x.Shape[2], x.Shape[1]
	}
	got := c.picture.crop(t, c.crop, w, h)
	n := w * h
	if !floats {
		want, wrong := f.U8(t, x.Name), 0
		for i, v := range want {
			k := i % 3
			if math.Round((float64(got[k*n+i/3])*std[k]+mean[k])*255) != float64(v) {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%d of %d samples differ", wrong, len(want))
		}
		return
	}
	want, worst := f.F32(t, x.Name), 0.0
	for i, v := range want {
		k, g := i/n, float64(got[i])
		limit := 8 * gputest.Epsilon / std[k] // three roundings and two divisions of numbers up to 1, then the division by std
		if x.Name == "to_tensor" {
			g = g*std[k] + mean[k]
			limit = 8 * gputest.Epsilon
		}
		worst = max(worst, math.Abs(g-float64(v))/limit)
	}
	t.Logf("largest error %.2g of the allowed", worst)
	if !(worst <= 1) {
		t.Errorf("largest error is %.3g times what is allowed", worst)
	}
}

// caseOf reads from a tensor's name how it was made.
func (a *augmentFamily) caseOf(t *testing.T, f *reference.File, name string) augmentCase {
	t.Helper()
	c := augmentCase{a.image, a.image.whole()}
	what, value, _ := strings.Cut(name, "_")
	number := func(s string) float32 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("tensor %q: %v", name, err)
		}
		return float32(v)
	}
	switch f.Name {
	case "crop_resize":
		boxes := f.I64(t, "boxes")
		i, size := int(number(strings.TrimPrefix(what, "crop"))), int(number(strings.TrimPrefix(value, "to")))
		var box [4]int
		for k := range box {
			box[k] = int(boxes[4*i+k])
		}
		c.crop = resizedCrop(box, size, size)
	case "blur":
		source, radius, _ := strings.Cut(name, "_r")
		if source != "full" {
			c.picture = readBitmap(t, a.family.File("crop_resize"), source)
			c.crop = c.picture.whole()
		}
		c.crop.Flags, c.crop.Radius = op.CropBlur, number(radius)
	case "jitter_orders":
		var ops []int
		for _, digit := range value {
			ops = append(ops, int(digit-'0'))
		}
		c.crop.Flags, c.crop.Order = op.CropJitter, op.JitterOrder(ops...)
		factors := a.config.OrderFactors
		c.crop.Brightness, c.crop.Contrast = factors.Brightness, factors.Contrast
		c.crop.Saturation, c.crop.Hue = factors.Saturation, factors.Hue
	case "pointwise":
		switch what {
		case "hflip":
			c.crop.Flags = op.CropFlip
		case "brightness":
			c.crop.Flags, c.crop.Order, c.crop.Brightness = op.CropJitter, op.JitterOrder(op.JitterBrightness), number(value)
		case "contrast":
			c.crop.Flags, c.crop.Order, c.crop.Contrast = op.CropJitter, op.JitterOrder(op.JitterContrast), number(value)
		case "saturation":
			c.crop.Flags, c.crop.Order, c.crop.Saturation = op.CropJitter, op.JitterOrder(op.JitterSaturation), number(value)
		case "hue":
			c.crop.Flags, c.crop.Order, c.crop.Hue = op.CropJitter, op.JitterOrder(op.JitterHue), number(value)
		case "grayscale":
			c.crop.Flags = op.CropGray
		case "solarize":
			c.crop.Flags = op.CropSolarize
		case "to", "normalized": // to_tensor
		default:
			t.Fatalf("operation %q is unknown", what)
		}
	case "pipeline":
		c.crop = pipelineCrop(t, f, int(number(strings.TrimPrefix(what, "p"))))
	default:
		t.Fatalf("file %q is unknown", f.Name)
	}
	return c
}

// pipelineCrop is the i-th pipeline of the manifest.
func pipelineCrop(t *testing.T, f *reference.File, i int) op.Crop {
	t.Helper()
	var list []struct {
		Size                                  int
		Box                                   [4]int
		Flip, Jitter, Gray, Solarize          bool
		Order                                 []int
		Brightness, Contrast, Saturation, Hue float32
		Blur                                  *float32
	}
	f.Decode(t, "pipelines", &list)
	p := list[i]
	c := resizedCrop(p.Box, p.Size, p.Size)
	c.Order = op.JitterOrder(p.Order...)
	c.Brightness, c.Contrast, c.Saturation, c.Hue = p.Brightness, p.Contrast, p.Saturation, p.Hue
	for flag, set := range map[uint32]bool{op.CropFlip: p.Flip, op.CropJitter: p.Jitter, op.CropGray: p.Gray, op.CropSolarize: p.Solarize} {
		if set {
			c.Flags |= flag
		}
	}
	if p.Blur != nil {
		c.Flags |= op.CropBlur
		c.Radius = *p.Blur
	}
	return c
}

// checkBoxes repeats the reference's draws of RandomResizedCrop with the model
// that the kernel equals to the bit (gpu/op, TestAugment).
func checkBoxes(t *testing.T, f *reference.File) {
	var cases []struct{ Height, Width uint32 }
	f.Decode(t, "cases", &cases)
	for i, c := range cases {
		name := func(what string) string { return fmt.Sprintf("case%d_%s", i, what) }
		t.Run(name("box"), func(t *testing.T) {
			share, ratio := f.F32(t, name("area_fraction")), f.F32(t, name("log_aspect"))
			box, attempts := f.I64(t, name("box")), f.I64(t, name("attempts"))
			for k := range attempts {
				got, at := ref.CentralCrop(c.Width, c.Height), int64(0)
				for try := range int64(10) {
					w, h := ref.CropSize(c.Width, c.Height, share[10*k+int(try)], ratio[10*k+int(try)])
					if w > 0 && w <= c.Width && h > 0 && h <= c.Height {
						got, at = ref.Crop{W: w, H: h, Y: uint32(box[4*k]), X: uint32(box[4*k+1])}, try+1
						break
					}
				}
				want := ref.Crop{Y: uint32(box[4*k]), X: uint32(box[4*k+1]), H: uint32(box[4*k+2]), W: uint32(box[4*k+3])}
				if got != want || at != attempts[k] {
					t.Errorf("draw %d: box %+v in attempt %d, want %+v in %d", k, got, at, want, attempts[k])
				}
			}
		})
	}
}
