package dino

import (
	"slices"
	"testing"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// The crops are those of the augmentation of all pictures together, whatever
// the batch.
func TestCropper(t *testing.T) {
	const epoch = 3
	src := noise{n: 3, bad: -1}
	config := DefaultConfig()
	config.ImageSize, config.LocalSize, config.LocalCropsNumber, config.Seed = 20, 9, 3, 1<<40+7

	c := gputest.New(t)
	var packed, table []uint32
	for i := range src.n {
		img, err := src.Decode(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		const stride = 4 * 1024
		table = append(table, uint32(i*stride), uint32(img.W), uint32(img.H), uint32(i))
		pix := append(slices.Clone(img.Pix), make([]uint8, stride-len(img.Pix))...)
		for at := 0; at < stride; at += 4 {
			packed = append(packed, uint32(pix[at])|uint32(pix[at+1])<<8|uint32(pix[at+2])<<16|uint32(pix[at+3])<<24)
		}
	}
	params := make([]uint32, paramWords)
	bytes, err := gpu.Encode(op.StepParams{SeedLo: 7, SeedHi: 1 << 8, Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	for i := range params {
		params[i] = uint32(bytes[4*i]) | uint32(bytes[4*i+1])<<8 | uint32(bytes[4*i+2])<<16 | uint32(bytes[4*i+3])<<24
	}
	crops := op.Augment(c.Graph, config.augmentation(), c.InputU32("pictures", packed, src.n, len(packed)/src.n),
		c.InputU32("table", table, src.n, 4), c.InputU32("params", params, paramWords))
	globals, locals := c.Keep(crops.Globals), c.Keep(crops.Locals)
	c.Run()
	// want is crop k of picture i.
	want := func(x *gpu.Tensor, i, k int) []float32 {
		n := x.Len() / x.Dim(0)
		at := (k*src.n + i) * n
		return c.Floats(x)[at : at+n]
	}

	for _, batch := range []int{1, 2, 5} {
		k, err := NewCropper(c.Dev, config, epoch, batch, 1300)
		if err != nil {
			t.Fatal(err)
		}
		var seen []int
		_, err = k.Crops(t.Context(), src, []int{2, 0, 1}, 2, func(i int, got PictureCrops) error {
			seen = append(seen, i)
			if len(got.Globals) != 2 || len(got.Locals) != 3 {
				t.Fatalf("%d global and %d local crops", len(got.Globals), len(got.Locals))
			}
			for n, crop := range got.Globals {
				if !slices.Equal(crop, want(globals, i, n)) {
					t.Errorf("batch %d: global crop %d of picture %d differs", batch, n, i)
				}
			}
			for n, crop := range got.Locals {
				if !slices.Equal(crop, want(locals, i, n)) {
					t.Errorf("batch %d: local crop %d of picture %d differs", batch, n, i)
				}
			}
			return nil
		})
		k.Close()
		if err != nil || !slices.Equal(seen, []int{2, 0, 1}) {
			t.Errorf("batch %d: pictures %v, error %v", batch, seen, err)
		}
	}
}

func TestCropperRefuses(t *testing.T) {
	dev := gputest.Open(t)
	c := DefaultConfig()
	c.LocalSize, c.LocalCropsScale = 0, Scale{0.5, 2}
	if _, err := NewCropper(dev, c, 0, 1, 100); err == nil {
		t.Error("crops of side 0 and more than the picture were made")
	}
	c = DefaultConfig()
	c.ImageSize, c.LocalSize, c.LocalCropsNumber = 10, 0, 0 // no whole patches, which don't matter here
	k, err := NewCropper(dev, c, 0, 1, 1300)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var src data.Source = noise{n: 1, bad: -1}
	if _, err := k.Crops(t.Context(), src, []int{0}, 1, func(_ int, got PictureCrops) error {
		if len(got.Locals) != 0 || len(got.Globals[0]) != 300 {
			t.Errorf("%d local crops, global ones of %d values", len(got.Locals), len(got.Globals[0]))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Defaults are the reference's crops; --blur scales how often each kind of crop
// is blurred.
func TestAugmentationOfSettings(t *testing.T) {
	config := DefaultConfig()
	if got, want := config.augmentation(), op.DefaultAugmentation(); got != want {
		t.Errorf("defaults give %+v, want %+v", got, want)
	}
	config.Blur = 0.5
	want := op.DefaultAugmentation()
	want.Blur = [3]float32{0.5, 0.05, 0.25}
	if got := config.augmentation(); got != want {
		t.Errorf("--blur 0.5 gives %+v, want %+v", got, want)
	}
}
