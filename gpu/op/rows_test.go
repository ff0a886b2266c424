package op

import (
	"math"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// matrixCases are rows and widths: single elements, ragged quads, few and many
// rows (which get many lanes or one), primes, and widths of the models.
var matrixCases = []struct{ rows, width int }{
	{1, 1}, {2, 5}, {31, 33}, {32, 32}, {33, 31}, {1, 1031}, {1009, 7}, {600, 96}, {197, 192}, {130, 384}, {17, 2048},
	{192, 384}, {4, 64}, {16, 1024},
}

// smallBindings makes the case record for a device that binds so few bytes at
// once that matrices must be split.
func smallBindings(c *gputest.Case, bytes int64) {
	caps := c.Dev.Caps()
	caps.MaxBinding = bytes
	c.Graph = gpu.NewGraph(caps)
}

// eachReading runs a test with all variants of the kernels, then without their first,
// and so on: as on llvmpipe, on a CPU, where kernels built on rows.glsl read texels,
// and as elsewhere. What quick broadcasts are for is right without them.
func eachReading(t *testing.T, kernels []*gpu.Kernel, test func(t *testing.T)) {
	for without, v := range kernels[0].Variants {
		t.Run(v.Name(), func(t *testing.T) {
			if lacks(gputest.Open(t), v) {
				t.Skip("the device lacks what it needs")
			}
			for _, k := range kernels {
				all := k.Variants
				defer func() { k.Variants = all }()
				k.Variants = slices.Clone(all[min(without, len(all)-1):])
				k.Variants[0].Needs &^= gpu.QuickBroadcasts
			}
			test(t)
		})
	}
}

// lacks reports whether a device can't run a variant, be it slowly.
func lacks(dev *gpu.Device, v gpu.Variant) bool {
	lanes := v.Spec["LANES"]
	return v.Needs&^gpu.QuickBroadcasts&^dev.Features != 0 || lanes != 0 && lanes != dev.Caps().SubgroupSize
}

// largest is the largest magnitude.
func largest(x []float64) float64 {
	var m float64
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

func TestSpans(t *testing.T) {
	caps := gpu.MinimalCaps
	caps.MaxBinding = 100 * 8 * 4 // 100 rows of 8
	for _, c := range []struct {
		rows int
		want []span
	}{
		{100, []span{{0, 100}}},
		{101, []span{{0, 64}, {64, 37}}},
		{128, []span{{0, 64}, {64, 64}}},
	} {
		g := gpu.NewGraph(caps)
		got := spans(g, c.rows, 8)
		if g.Err() != nil || len(got) != len(c.want) {
			t.Fatalf("%d rows: %v, %v", c.rows, got, g.Err())
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%d rows: %v, want %v", c.rows, got, c.want)
			}
		}
	}
	g := gpu.NewGraph(caps)
	if spans(g, 100, 1000); g.Err() == nil {
		t.Error("rows that no binding holds are accepted")
	}
}

func TestLanes(t *testing.T) {
	cpu, card := gpu.MinimalCaps, gpu.MinimalCaps
	cpu.Kind = gpu.CPU
	for _, c := range []struct {
		caps              gpu.Caps
		rows, width, want int
	}{
		{cpu, 4096, 384, 1},
		{cpu, 128, 256, 4},
		{cpu, 4, 65536, 64},
		{cpu, 4, 8, 2},
		{card, 4096, 384, 32},
		{card, 4096, 65536, 64},
		{card, 4096, 1, 1},
	} {
		if got := lanes(c.caps, c.rows, c.width); got != c.want {
			t.Errorf("%v, %d rows of %d: %d lanes, want %d", c.caps.Kind, c.rows, c.width, got, c.want)
		}
	}
}
