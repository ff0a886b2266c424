package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// leaf is an input whose gradient can be checked: poison at first, or, where
// the gradient accumulates, what before returns.
func leaf(c *gputest.Case, t *Tape, name string, values []float32, accumulate bool, shape ...int) (x, dx *gpu.Tensor, before []float64) {
	x = c.Input(name, values, shape...)
	before = make([]float64, len(values))
	if accumulate {
		old := gputest.Normal(99, len(values))
		before = gputest.Float64(old)
		dx = c.InOut("d"+name, old, shape...)
	} else {
		dx = c.Output("d"+name, gpu.F32, shape...)
	}
	t.Param(x, dx, accumulate)
	return x, dx, before
}

// plus adds elementwise.
func plus(a, b []float64) []float64 {
	sum := make([]float64, len(a))
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	return sum
}

func TestPatchify(t *testing.T) {
	type images struct{ n, h, w int }
	for _, c := range []struct {
		p, channels int
		images      []images
		binding     int64 // bytes that can be bound at once, 0 for the device's
	}{
		{1, 1, []images{{1, 1, 1}}, 0},
		{4, 3, []images{{3, 32, 32}, {5, 16, 16}}, 0},
		{8, 3, []images{{2, 61, 44}, {1, 8, 8}}, 0},
		{16, 3, []images{{2, 224, 224}, {3, 96, 96}}, 0},
		{5, 2, []images{{3, 33, 31}}, 0},
		{4, 3, []images{{3, 24, 24}, {7, 32, 32}}, 2 * 4 * 48 * (64 + rowAlign)},    // two images at a time
		{2, 1, []images{{5, 6, 6}, {130, 5, 3}}, rowAlign * 4 * 4 * (2 + rowAlign)}, // images aligned by 64
	} {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprint(c, accumulate), func(t *testing.T) {
				k := gputest.New(t)
				if c.binding > 0 {
					smallBindings(k, c.binding)
				}
				tape := NewTape(k.Graph)
				var in, din []*gpu.Tensor
				var want, dpatches []float64
				var dwant [][]float64
				for i, im := range c.images {
					values := gputest.Normal(uint64(i), im.n*c.channels*im.h*im.w)
					x, dx, before := leaf(k, tape, fmt.Sprint("images", i), values, accumulate, im.n, c.channels, im.h, im.w)
					in, din = append(in, x), append(din, dx)
					want = append(want, ref.Patchify(gputest.Float64(values), im.n, c.channels, im.h, im.w, c.p)...)
					up := gputest.Float64(gputest.Normal(uint64(10+i), im.n*(im.h/c.p)*(im.w/c.p)*c.channels*c.p*c.p))
					dpatches = append(dpatches, up...)
					dwant = append(dwant, plus(before, ref.PatchifyBackward(up, im.n, c.channels, im.h, im.w, c.p)))
				}
				patches := Patchify(tape, c.p, in...)
				kept := k.Keep(patches)
				tape.Backward(patches, k.Input("dpatches", narrow(dpatches), patches.Shape...))
				k.Run()
				k.Near(kept, want, gputest.Eps(0))
				for i := range din {
					k.Near(din[i], dwant[i], gputest.Eps(1))
				}
			})
		}
	}
}

// narrow rounds to float32; values that came from float32 stay as they are.
func narrow(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

func BenchmarkPatchify(b *testing.B) {
	const n, size, p = 128, 32, 4
	benchmark(b, 2*4*n*3*size*size, 0, func(g *gpu.Graph, s *source) {
		Patchify(NewTape(g), p, s.normal(n, 3, size, size))
	})
}
