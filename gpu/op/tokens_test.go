package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

type tokenCase struct {
	width   int
	runs    []Run
	binding int64 // bytes that can be bound at once, 0 for the device's
}

var tokenCases = []tokenCase{
	{1, []Run{{1, 2}}, 0},
	{7, []Run{{3, 32}, {2, 33}}, 0},
	{96, []Run{{8, 65}, {16, 17}}, 0},
	{384, []Run{{4, 197}, {6, 37}}, 0},
	{13, []Run{{5, 31}}, 0},
	{64, []Run{{5, 32}, {6, 33}}, 2 * 4 * 64 * (33 + rowAlign)},      // two sequences at a time
	{7, []Run{{3, 32}, {150, 5}}, rowAlign * 4 * 7 * (5 + rowAlign)}, // whose rows are aligned by 64 sequences
}

// newTokenCase records for a device that binds what the case says.
func newTokenCase(t *testing.T, c tokenCase) *gputest.Case {
	k := gputest.New(t)
	if c.binding > 0 {
		smallBindings(k, c.binding)
	}
	return k
}

func TestAddTokens(t *testing.T) {
	for _, c := range tokenCases {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprint(c, accumulate), func(t *testing.T) {
				k := newTokenCase(t, c)
				tape := NewTape(k.Graph)
				rows := Tokens(c.runs) - Sequences(c.runs)
				patches0, cls0 := gputest.Normal(1, rows*c.width), gputest.Normal(2, c.width)
				patches, dpatches, oldPatches := leaf(k, tape, "patches", patches0, accumulate, rows, c.width)
				cls, dcls, oldCls := leaf(k, tape, "cls", cls0, accumulate, c.width)
				var pos, dpos []*gpu.Tensor
				var oldPos, wide [][]float64
				for i, r := range c.runs {
					values := gputest.Normal(uint64(3+i), r.Length*c.width)
					p, dp, old := leaf(k, tape, fmt.Sprint("pos", i), values, accumulate, r.Length, c.width)
					pos, dpos, oldPos = append(pos, p), append(dpos, dp), append(oldPos, old)
					for range r.Sequences {
						wide = append(wide, gputest.Float64(values))
					}
				}
				x := AddTokens(tape, patches, cls, pos, c.runs)
				kept := k.Keep(x)
				dx := gputest.Normal(9, x.Len())
				tape.Backward(x, k.Input("dx", dx, x.Shape...))
				k.Run()

				k.Near(kept, ref.Tokens(gputest.Float64(patches0), gputest.Float64(cls0), wide, lengths(c.runs)), gputest.Eps(1))
				wantPatches, wantCls, each := ref.TokensBackward(gputest.Float64(dx), c.width, lengths(c.runs))
				k.Near(dpatches, plus(oldPatches, wantPatches), gputest.Eps(1))
				n := float64(Sequences(c.runs))
				k.Near(dcls, plus(oldCls, wantCls), gputest.EpsOf(n, 4*math.Sqrt(n)))
				for i, r := range c.runs {
					want := oldPos[i]
					for _, d := range each[:r.Sequences] {
						want = plus(want, d)
					}
					each = each[r.Sequences:]
					n := float64(r.Sequences)
					k.Near(dpos[i], want, gputest.EpsOf(n, 4*math.Sqrt(n)))
				}
			})
		}
	}
}

// Runs that share a position embedding add up in its gradient.
func TestAddTokensSharedPos(t *testing.T) {
	const width = 5
	runs := []Run{{2, 4}, {3, 4}}
	k := gputest.New(t)
	tape := NewTape(k.Graph)
	patches := k.Input("patches", gputest.Normal(1, 15*width), 15, width)
	cls := k.Input("cls", gputest.Normal(2, width), width)
	pos, dpos, _ := leaf(k, tape, "pos", gputest.Normal(3, 4*width), false, 4, width)
	x := AddTokens(tape, patches, cls, []*gpu.Tensor{pos, pos}, runs)
	dx := gputest.Normal(4, x.Len())
	tape.Backward(x, k.Input("dx", dx, x.Shape...))
	k.Run()
	_, _, each := ref.TokensBackward(gputest.Float64(dx), width, lengths(runs))
	want := make([]float64, 4*width)
	for _, d := range each {
		want = plus(want, d)
	}
	k.Near(dpos, want, gputest.EpsOf(5, 4))
}

func TestCls(t *testing.T) {
	for _, c := range append(tokenCases, tokenCase{3, []Run{{4, 1}, {2, 5}}, 0}) {
		for _, accumulate := range []bool{false, true} {
			t.Run(fmt.Sprint(c, accumulate), func(t *testing.T) {
				k := newTokenCase(t, c)
				tape := NewTape(k.Graph)
				x0 := gputest.Normal(1, Tokens(c.runs)*c.width)
				x, dx, before := leaf(k, tape, "x", x0, accumulate, Tokens(c.runs), c.width)
				y := Cls(tape, x, c.runs)
				kept := k.Keep(y)
				dy := gputest.Normal(2, y.Len())
				tape.Backward(y, k.Input("dy", dy, y.Shape...))
				k.Run()
				k.Near(kept, ref.Cls(gputest.Float64(x0), c.width, lengths(c.runs)), gputest.Eps(0))
				k.Near(dx, plus(before, ref.ClsBackward(gputest.Float64(dy), c.width, lengths(c.runs))), gputest.Eps(1))
			})
		}
	}
}

func BenchmarkAddTokens(b *testing.B) {
	const width = 96
	runs := []Run{{128, 65}, {256, 17}}
	patches := Tokens(runs) - Sequences(runs)
	record := func(g *gpu.Graph, s *source) {
		t := NewTape(g)
		leaf := func(shape ...int) *gpu.Tensor {
			x := s.normal(shape...)
			t.Param(x, s.normal(shape...), false)
			return x
		}
		x := AddTokens(t, leaf(patches, width), leaf(width), []*gpu.Tensor{leaf(65, width), leaf(17, width)}, runs)
		t.Backward(x, s.normal(Tokens(runs), width))
	}
	benchmark(b, 4*width*int64(3*patches+4*Tokens(runs)), 0, record)
}

func BenchmarkCls(b *testing.B) {
	const width = 96
	runs := []Run{{128, 65}, {256, 17}}
	benchmark(b, 4*width*int64(Tokens(runs)), 0, func(g *gpu.Graph, s *source) {
		t := NewTape(g)
		x := s.normal(Tokens(runs), width)
		t.Param(x, s.normal(Tokens(runs), width), false)
		t.Backward(Cls(t, x, runs), s.normal(Sequences(runs), width))
	})
}
