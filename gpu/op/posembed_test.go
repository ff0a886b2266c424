package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestPosEmbed(t *testing.T) {
	for _, c := range []struct{ side, p, height, width, d int }{
		{8, 4, 16, 16, 96},    // local crops of the small recipe
		{14, 16, 96, 96, 192}, // of the paper's
		{6, 8, 61, 44, 33},    // neither square nor a multiple of the patch
		{4, 4, 8, 32, 32},     // as many tokens, but not square
		{9, 4, 36, 37, 31},    // the same, square in cells
		{3, 2, 34, 46, 7},     // larger
		{1, 1, 3, 2, 1},
	} {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprint(c, accumulate), func(t *testing.T) {
				rows, cols := c.height/c.p, c.width/c.p
				k := gputest.New(t)
				tape := NewTape(k.Graph)
				values := gputest.Normal(1, (1+c.side*c.side)*c.d)
				pos, dpos, before := leaf(k, tape, "pos", values, accumulate, 1, 1+c.side*c.side, c.d)
				y := PosEmbed(tape, pos, c.p, c.height, c.width)
				kept := k.Keep(y)
				dy := gputest.Normal(2, y.Len())
				tape.Backward(y, k.Input("dy", dy, y.Shape...))
				k.Run()

				// A source coordinate near side errs by side Epsilon, and the
				// kernel's slope is below 2; 16 taps of values below 5.
				side := float64(c.side)
				k.Near(kept, ref.PosEmbed(gputest.Float64(values), c.side, rows, cols, c.d), gputest.EpsOf(4*side+16, 5))
				readers := float64(4*rows*cols)/(side*side) + float64(rows+cols) // as many output cells read a source cell, at most
				want := plus(before, ref.PosEmbedBackward(gputest.Float64(dy), c.side, rows, cols, c.d))
				k.Near(dpos, want, gputest.EpsOf((4*side+16)*max(readers, 1), 5))
			})
		}
	}
}

// At its own size the embedding is used as it is.
func TestPosEmbedIdentity(t *testing.T) {
	k := gputest.New(t)
	pos := k.Input("pos", gputest.Normal(1, 65*3), 65, 3)
	if y := PosEmbed(NewTape(k.Graph), pos, 4, 32, 32); y != pos {
		t.Errorf("%v instead of %v", y, pos)
	}
}

func BenchmarkPosEmbed(b *testing.B) {
	const side, d = 14, 384
	benchmark(b, 4*d*2*(1+side*side), 0, func(g *gpu.Graph, s *source) {
		t := NewTape(g)
		pos := s.normal(1, 1+side*side, d)
		t.Param(pos, s.normal(1, 1+side*side, d), false)
		t.Backward(PosEmbed(t, pos, 16, 96, 96), s.normal(1+6*6, d))
	})
}
