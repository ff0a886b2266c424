package op

import "dino-vk/gpu"

var (
	clsFwd = gpu.Plain("cls_fwd")
	clsBwd = gpu.Plain("cls_bwd")
)

// Cls gives the first token of each sequence of x (tokens of all runs, D):
// (sequences of all runs, D).
func Cls(t *Tape, x *gpu.Tensor, runs []Run) *gpu.Tensor {
	g := t.G
	in, rows, width := matrix(x)
	y := g.New("cls", gpu.F32, max(Sequences(runs), 1), width)
	if !checkRuns(g, x, rows, runs) {
		return y
	}
	type push struct{ Start, First, Sequences, Length, Width uint32 }
	start, first := 0, 0
	for _, r := range runs {
		g.Dispatch(g.Pick(clsFwd, r), grid(g, r.Sequences*width, 64), push{
			uint32(start), uint32(first), uint32(r.Sequences), uint32(r.Length), uint32(width),
		}, in, y)
		start += r.Sequences * r.Length
		first += r.Sequences
	}
	t.Push(y, func(dy *gpu.Tensor) { clsBackward(t, x, runs, dy) }, x)
	return y
}

func clsBackward(t *Tape, x *gpu.Tensor, runs []Run, dy *gpu.Tensor) {
	g := t.G
	dx, accumulate := t.Grad(x)
	if !accumulate {
		g.Fill(dx, 0)
	}
	width := x.Dim(-1)
	type push struct{ Start, First, Sequences, Length, Width, Accumulate uint32 }
	start, first := 0, 0
	for _, r := range runs {
		g.Dispatch(g.Pick(clsBwd, r), grid(g, r.Sequences*width, 64), push{
			uint32(start), uint32(first), uint32(r.Sequences), uint32(r.Length), uint32(width), bit(accumulate),
		}, dy, dx)
		start += r.Sequences * r.Length
		first += r.Sequences
	}
}
