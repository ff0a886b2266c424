package op

import (
	"math"

	"dino-vk/gpu"
)

var (
	posEmbedFwd = gpu.Plain("posembed_fwd")
	posEmbedBwd = gpu.Plain("posembed_bwd")
)

// PosEmbed gives the position embedding (1+T, D) of images of height x width
// pixels in patches of p: pos (…, 1+side², D) itself where the images are
// square and have side² patches, else pos interpolated bicubically as the
// reference does it (shaders/include/posembed.glsl). The row of CLS passes
// through.
func PosEmbed(t *Tape, pos *gpu.Tensor, p, height, width int) *gpu.Tensor {
	g := t.G
	in, tokens, d := matrix(pos)
	side := int(math.Round(math.Sqrt(float64(tokens - 1))))
	rows, cols := height/p, width/p
	if side*side != tokens-1 || side < 1 || rows < 1 || cols < 1 {
		g.Errorf("position embedding %v for images of %d x %d pixels in patches of %d", pos, height, width, p)
		return pos
	}
	if rows*cols == side*side && height == width {
		return pos
	}
	y := g.New("pos", gpu.F32, 1+rows*cols, d)
	type push struct {
		Side, Rows, Cols, Width uint32
		RowPitch, ColPitch      float32
	}
	g.Dispatch(g.Pick(posEmbedFwd, d), grid(g, y.Len(), 64), push{
		uint32(side), uint32(rows), uint32(cols), uint32(d), pitch(side, rows), pitch(side, cols),
	}, in, y)
	t.Push(y, func(dy *gpu.Tensor) { posEmbedBackward(t, pos, side, rows, cols, dy) }, pos)
	return y
}

func posEmbedBackward(t *Tape, pos *gpu.Tensor, side, rows, cols int, dy *gpu.Tensor) {
	g := t.G
	dpos, accumulate := t.Grad(pos)
	d := pos.Dim(-1)
	type push struct {
		Side, Rows, Cols, Width uint32
		RowPitch, ColPitch      float32
		Begin, End, Accumulate  uint32
	}
	band := max(1, mostIterations/(cols+2)) // rows of dy that one dispatch goes through
	for begin := 0; begin < rows; begin += band {
		g.Dispatch(g.Pick(posEmbedBwd, d), grid(g, pos.Len(), 64), push{
			uint32(side), uint32(rows), uint32(cols), uint32(d), pitch(side, rows), pitch(side, cols),
			uint32(begin), uint32(min(begin+band, rows)), bit(accumulate || begin > 0),
		}, dy, dpos)
	}
}

// pitch is how many source cells an output cell advances. The reference adds
// 0.1 against rounding, which shifts the coordinates too.
func pitch(side, n int) float32 { return float32(1 / ((float64(n) + 0.1) / float64(side))) }
