package op

import "dino-vk/gpu"

var (
	tokensFwd        = gpu.Plain("tokens_fwd")
	tokensBwdPatches = gpu.Plain("tokens_bwd_patches")
	tokensBwdPos     = gpu.Plain("tokens_bwd_pos")
)

// AddTokens makes the packed token sequences of a ViT (arXiv 2010.11929, eq. 1):
// each sequence is cls (D) and its patches, rows of patches (rows, D) in the
// order of the runs, plus the position embedding pos[i] (T, D) of its run i.
// The result is x (tokens of all runs, D).
func AddTokens(t *Tape, patches, cls *gpu.Tensor, pos []*gpu.Tensor, runs []Run) *gpu.Tensor {
	g := t.G
	in, rows, width := matrix(patches)
	x := g.New("tokens", gpu.F32, max(Tokens(runs), 1), width)
	if cls.Len() != width || len(pos) != len(runs) || rows != Tokens(runs)-Sequences(runs) {
		g.Errorf("tokens of %v, %v and %d position embeddings for runs %v", patches, cls, len(pos), runs)
		return x
	}
	type push struct{ Start, First, Sequences, Length, Width uint32 }
	row, patch := 0, 0
	for i, r := range runs {
		if pos[i].Len() != r.Length*width || r.Length < 2 {
			g.Errorf("tokens: %v for sequences of %d", pos[i], r.Length)
			return x
		}
		for _, s := range r.parts(g, width) {
			from, first := alignedRows(in, patch+s.first*(r.Length-1), s.n*(r.Length-1))
			to, start := alignedRows(x, row+s.first*r.Length, s.n*r.Length)
			g.Dispatch(g.Pick(tokensFwd, r), sequenceGrid(s.n, r.Length*width), push{
				uint32(start), uint32(first), uint32(s.n), uint32(r.Length), uint32(width),
			}, from, cls, pos[i], to)
		}
		row += r.Sequences * r.Length
		patch += r.Sequences * (r.Length - 1)
	}
	t.Push(x, func(dx *gpu.Tensor) { addTokensBackward(t, patches, cls, pos, runs, dx) },
		append([]*gpu.Tensor{patches, cls}, pos...)...)
	return x
}

// sequenceGrid is the grid of shaders whose invocations do one of `size`
// elements of 16 of n sequences.
func sequenceGrid(n, size int) gpu.Groups {
	return gpu.Groups{ceilDiv(size, 256), ceilDiv(n, 16), 1}
}

func addTokensBackward(t *Tape, patches, cls *gpu.Tensor, pos []*gpu.Tensor, runs []Run, dx *gpu.Tensor) {
	g := t.G
	_, rows, width := matrix(patches)
	dpatches, addPatches := t.Grad(patches)
	row, patch := 0, 0
	for i, r := range runs {
		for _, s := range r.parts(g, width) {
			from, start := alignedRows(dx, row+s.first*r.Length, s.n*r.Length)
			part := Run{s.n, r.Length}
			sharedBackward(t, cls, from, start, part, 1)
			sharedBackward(t, pos[i], from, start, part, r.Length)
			if dpatches == nil {
				continue
			}
			type push struct{ Start, First, Sequences, Length, Width, Accumulate uint32 }
			to, first := alignedRows(dpatches.Reshape(rows, width), patch+s.first*(r.Length-1), s.n*(r.Length-1))
			g.Dispatch(g.Pick(tokensBwdPatches, r), sequenceGrid(s.n, (r.Length-1)*width), push{
				uint32(start), uint32(first), uint32(s.n), uint32(r.Length), uint32(width), bit(addPatches),
			}, from, to)
		}
		row += r.Sequences * r.Length
		patch += r.Sequences * (r.Length - 1)
	}
}

// sharedBackward adds to the gradient of shared (count, D), which all sequences
// of r have as their first tokens: those of dx from row start on.
func sharedBackward(t *Tape, shared, dx *gpu.Tensor, start int, r Run, count int) {
	g := t.G
	d, accumulate := t.Grad(shared)
	if d == nil {
		return
	}
	width := dx.Dim(1)
	type push struct{ Start, Sequences, Length, Width, Count, Accumulate uint32 }
	for s := 0; s < r.Sequences; s += mostIterations {
		g.Dispatch(g.Pick(tokensBwdPos, r), grid(g, count*width, 64), push{
			uint32(start + s*r.Length), uint32(min(mostIterations, r.Sequences-s)), uint32(r.Length),
			uint32(width), uint32(count), bit(accumulate || s > 0),
		}, dx, d)
	}
}
