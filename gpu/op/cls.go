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
	row, sequence := 0, 0
	for _, r := range runs {
		for _, s := range r.parts(g, width) {
			from, start := alignedRows(in, row+s.first*r.Length, s.n*r.Length)
			to, first := alignedRows(y, sequence+s.first, s.n)
			g.Dispatch(g.Pick(clsFwd, r), grid(g, s.n*width, 64), push{
				uint32(start), uint32(first), uint32(s.n), uint32(r.Length), uint32(width),
			}, from, to)
		}
		row += r.Sequences * r.Length
		sequence += r.Sequences
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
	_, rows, width := matrix(x)
	in, out := dy.Reshape(dy.Len()/width, width), dx.Reshape(rows, width)
	type push struct{ Start, First, Sequences, Length, Width, Accumulate uint32 }
	row, sequence := 0, 0
	for _, r := range runs {
		for _, s := range r.parts(g, width) {
			from, first := alignedRows(in, sequence+s.first, s.n)
			to, start := alignedRows(out, row+s.first*r.Length, s.n*r.Length)
			g.Dispatch(g.Pick(clsBwd, r), grid(g, s.n*width, 64), push{
				uint32(start), uint32(first), uint32(s.n), uint32(r.Length), uint32(width), bit(accumulate),
			}, from, to)
		}
		row += r.Sequences * r.Length
		sequence += r.Sequences
	}
}
