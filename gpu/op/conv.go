package op

import (
	"fmt"

	"dino-vk/gpu"
)

// convKernel makes a convolution and its input gradient, convDWKernel the
// weight gradient.
var (
	convKernel   = &gpu.Kernel{Name: "conv", Variants: append(sharedConv, imageKernel("conv").Variants...)}
	convDWKernel = imageKernel("conv_dw")
)

// sharedConv makes blocks of 64 x 64 elements from shared memory, as sharedGEMM
// does.
var sharedConv = []gpu.Variant{
	{
		Module: "conv_shared_vec4", Needs: gpu.SharedMemory, Spec: gpu.Spec{"TILES_X": 8, "TILES_Y": 8},
		Fits: func(_ gpu.Caps, problem any) bool { return problem.(imageProblem).quads },
	},
	{Module: "conv_shared", Needs: gpu.SharedMemory, Spec: gpu.Spec{"TILES_X": 8, "TILES_Y": 8}},
}

type convPush struct {
	FirstRow, Rows, GridH, GridW uint32
	SourceH, SourceW, Pitch, K   uint32
	OutH, OutW, N                uint32
	OutStep, OutY, OutX          uint32
	Step, FirstY, FirstX         int32
	TapStep                      int32
	TapsY, TapsX                 uint32
	FirstTap, TapStepY, TapStepX uint32
	Kernel                       uint32
}

type convDWPush struct {
	Lines, Part     uint32
	Slot            uint32
	OutH, OutW, M   uint32
	H, W, Pitch, K  uint32
	Kernel, KernelW uint32
	Stride          uint32
	Pad             int32
}

// conv is the size of a convolution of x (n, h, w, ci) with w (co, ci, kh, kw)
// to y (n, outH, outW, co).
type conv struct {
	n, h, w, ci    int
	outH, outW, co int
	kh, kw         int
	stride, pad    int
}

// Conv2D is the convolution of images x (N, H, W, Ci) with w (Co, Ci, kh, kw),
// without bias, padded with pad zeros on every side:
//
//	y[n, i, j, o] = sum_{v, u, c} x[n, i stride - pad + v, j stride - pad + u, c] w[o, c, v, u]
//
// y (N, (H + 2 pad - kh) / stride + 1, (W + 2 pad - kw) / stride + 1, Co), f32.
// Tensors too large for one binding are cut into runs of images.
func Conv2D(t *Tape, x, w *gpu.Tensor, stride, pad int) *gpu.Tensor {
	g := t.G
	if g.Err() != nil {
		return x
	}
	c, err := convOf(x, w, stride, pad)
	if err != nil {
		g.Errorf("convolution: %w", err)
		return x
	}
	if c.kh*c.kw == 1 && stride == 1 && pad == 0 {
		return Linear(t, x, w.Reshape(c.co, c.ci), nil)
	}
	if c.ci%4 != 0 && c.co%4 == 0 { // then channels can be read by fours, and by lines: see line
		channels := roundUp(c.ci, 4)
		x = padImages(t, x, pad, channels)
		c.ci, c.h, c.w, c.pad = channels, c.h+2*pad, c.w+2*pad, 0
	}
	if c.longestSum() > mostIterations || c.outW >= mostIterations/2 {
		g.Errorf("convolution of %v with %v: too many taps and channels, or too wide, for one loop", x, w)
		return x
	}
	y := g.New("conv", gpu.F32, c.n, c.outH, c.outW, c.co)
	c.forward(g, y, x, w)
	t.Push(y, func(dy *gpu.Tensor) {
		dy = dy.Reshape(y.Shape...)
		if dw, accumulate := t.Grad(w); dw != nil {
			c.weightGradient(g, dw, x, dy, accumulate)
		}
		if dx, accumulate := t.Grad(x); dx != nil {
			c.inputGradient(g, dx, dy, w, accumulate)
		}
	}, x, w)
	return y
}

// convOf checks the shapes.
func convOf(x, w *gpu.Tensor, stride, pad int) (conv, error) {
	if len(x.Shape) != 4 || len(w.Shape) != 4 || stride < 1 || pad < 0 || x.Dim(3) != w.Dim(1) {
		return conv{}, fmt.Errorf("%v with %v, stride %d, padding %d", x, w, stride, pad)
	}
	c := conv{n: x.Dim(0), h: x.Dim(1), w: x.Dim(2), ci: x.Dim(3), co: w.Dim(0), kh: w.Dim(2), kw: w.Dim(3), stride: stride, pad: pad}
	if c.h+2*pad < c.kh || c.w+2*pad < c.kw {
		return c, fmt.Errorf("%v with padding %d is smaller than the kernel of %v", x, pad, w)
	}
	c.outH, c.outW = (c.h+2*pad-c.kh)/stride+1, (c.w+2*pad-c.kw)/stride+1
	return c, nil
}

// longestSum bounds how often an invocation loops to make an element of y or
// dx, where four channels of a tap can take six rounds, as in gemmParts.
func (c conv) longestSum() int { return c.kh * c.kw * 2 * (max(c.ci, c.co) + 4) }

// line is how many taps a line of the kernel has, and how many elements one of
// them: without padding, a line's pixels lie together and are a single tap.
func (c conv) line() (taps, elements int) {
	if c.pad == 0 {
		return 1, c.kw * c.ci
	}
	return c.kw, c.ci
}

func (c conv) quads() bool { return c.ci%4 == 0 && c.co%4 == 0 }

// cuts divides the images so that the parts of x and y fit bindings.
func (c conv) cuts(g *gpu.Graph) []span {
	return cuts(g, c.n, c.h*c.w*c.ci, c.outH*c.outW*c.co)
}

func (c conv) forward(g *gpu.Graph, y, x, w *gpu.Tensor) {
	taps := c.kh * c.kw
	if taps > 1 || c.ci != w.Dim(1) { // the channels summed over come last, those of the padding being zero
		ohwi := g.New("ohwi", gpu.F32, c.co, taps, c.ci)
		transpose(g, ohwi, w.Reshape(1, c.co, w.Dim(1), taps), false)
		w = ohwi
	}
	width, k := c.line()
	for _, s := range c.cuts(g) {
		c.gather(g, s.of(y), s.of(x), w, convPush{
			Rows: uint32(s.n * c.outH * c.outW), GridH: uint32(c.outH), GridW: uint32(c.outW),
			SourceH: uint32(c.h), SourceW: uint32(c.w), Pitch: uint32(c.ci), K: uint32(k),
			OutH: uint32(c.outH), OutW: uint32(c.outW), N: uint32(c.co), OutStep: 1,
			Step: int32(c.stride), FirstY: int32(-c.pad), FirstX: int32(-c.pad),
			TapStep: 1, TapsY: uint32(c.kh), TapsX: uint32(width), TapStepY: uint32(width), TapStepX: 1,
			Kernel: uint32(c.kh * width),
		}, false)
	}
}

// inputGradient records dx, phase by phase: the pixels whose distance from the
// first is the same modulo the stride are reached by the same taps.
func (c conv) inputGradient(g *gpu.Graph, dx, dy, w *gpu.Tensor, accumulate bool) {
	taps := c.kh * c.kw
	ihwo := g.New("ihwo", gpu.F32, c.ci, taps, c.co)
	transpose(g, ihwo.Reshape(1, c.ci*taps, c.co), w.Reshape(1, 1, c.co, w.Dim(1)*taps), false)
	for _, s := range c.cuts(g) {
		for phase := range c.stride * c.stride {
			rows, cols := c.phase(phase/c.stride, c.h, c.kh), c.phase(phase%c.stride, c.w, c.kw)
			if rows.positions*cols.positions == 0 || accumulate && rows.taps*cols.taps == 0 {
				continue
			}
			c.gather(g, s.of(dx), s.of(dy), ihwo, convPush{
				Rows: uint32(s.n * rows.positions * cols.positions), GridH: uint32(rows.positions), GridW: uint32(cols.positions),
				SourceH: uint32(c.outH), SourceW: uint32(c.outW), Pitch: uint32(c.co), K: uint32(c.co),
				OutH: uint32(c.h), OutW: uint32(c.w), N: uint32(c.ci),
				OutStep: uint32(c.stride), OutY: uint32(phase / c.stride), OutX: uint32(phase % c.stride),
				Step: 1, FirstY: int32(rows.first), FirstX: int32(cols.first),
				TapStep: -1, TapsY: uint32(rows.taps), TapsX: uint32(cols.taps),
				FirstTap: uint32(rows.firstTap*c.kw + cols.firstTap),
				TapStepY: uint32(c.stride * c.kw), TapStepX: uint32(c.stride),
				Kernel: uint32(taps),
			}, accumulate)
		}
	}
}

// convPhase is every stride-th pixel of an axis of x: pixel stride i + phase
// takes gradient from dy's pixels first + i, first + i - 1, … through the taps
// firstTap, firstTap + stride, ….
type convPhase struct{ positions, taps, firstTap, first int }

func (c conv) phase(phase, extent, kernel int) convPhase {
	p := convPhase{firstTap: (phase + c.pad) % c.stride, first: (phase + c.pad) / c.stride}
	p.positions = ceilDiv(max(extent-phase, 0), c.stride)
	p.taps = ceilDiv(max(kernel-p.firstTap, 0), c.stride)
	return p
}

func (c conv) gather(g *gpu.Graph, out, source, w *gpu.Tensor, p convPush, accumulate bool) {
	sh := g.Pick(convKernel, imageProblem{c.quads(), []*gpu.Tensor{source, w}, p.shape(accumulate)})
	sh, wide, tall := blockOf(sh, int(p.Rows), int(p.N))
	if accumulate {
		sh = sh.With("ACCUMULATE", 1)
	}
	if p.K%4 == 0 {
		sh = sh.With("TAIL", 0)
	}
	most := gemmTile * tall * int(g.Caps().MaxGroups[1]) // rows of a dispatch
	for first := 0; first < int(p.Rows); first += most {
		p.FirstRow = uint32(first)
		rows := min(most, int(p.Rows)-first)
		g.Dispatch(sh, gpu.Groups{ceilDiv(int(p.N), gemmTile*wide), ceilDiv(rows, gemmTile*tall), 1}, p, source, w, out)
	}
}

// weightGradient records dw (co, ci', kh, kw), ci' being ci without its
// padding: sums over parts of dy's lines, then the sum of these.
func (c conv) weightGradient(g *gpu.Graph, dw, x, dy *gpu.Tensor, accumulate bool) {
	taps, part := c.kh*c.kw, c.linesOfPart()
	runs := c.cuts(g)
	slots := 0
	for _, s := range runs {
		slots += ceilDiv(s.n*c.outH, part)
	}
	parts := g.New("parts", gpu.F32, slots, c.co, taps, c.ci)
	slot := 0
	for _, s := range runs {
		c.sumLines(g, parts, s.of(x), s.of(dy), part, slot)
		slot += ceilDiv(s.n*c.outH, part)
	}
	transpose(g, dw.Reshape(c.co, dw.Dim(1), taps), parts, accumulate)
}

// linesOfPart is how many of dy's lines one workgroup sums into the weight
// gradient: few enough that the device has enough to do, as in gemmParts, and
// that no loop is too long.
func (c conv) linesOfPart() int {
	lines := c.n * c.outH
	parts := gemmParts(gemmSize{M: c.co, N: c.kh * c.kw * c.ci, K: lines * c.outW})
	return min(ceilDiv(lines, parts), mostIterations/(c.outW+2)) // a loop of n takes n + 1 rounds
}

// shape tells apart what convolutions of equal tensors do.
func (p convPush) shape(accumulate bool) string {
	s := fmt.Sprintf(" to %d rows, %dx%d taps, steps %d and %d", p.Rows, p.TapsY, p.TapsX, p.Step, p.TapStepX)
	if accumulate {
		s += " accumulate"
	}
	return s
}

// sumLines records the weight gradients of parts of some images' lines, as
// slot, slot+1, … of parts.
func (c conv) sumLines(g *gpu.Graph, parts, x, dy *gpu.Tensor, part, slot int) {
	lines, columns := dy.Dim(0)*c.outH, c.kh*c.kw*c.ci
	wide := gemmTilesX(c.co, columns)
	width, k := c.line()
	sh := g.Pick(convDWKernel, imageProblem{c.quads(), []*gpu.Tensor{dy, x}, fmt.Sprintf(" %dx%d, stride %d, padding %d", c.kh, c.kw, c.stride, c.pad)}).With("TILES_X", uint32(wide))
	groups := gpu.Groups{ceilDiv(columns, gemmTile*wide), ceilDiv(c.co, gemmTile*gemmTiles/wide), ceilDiv(lines, part)}
	g.Dispatch(sh, groups, convDWPush{
		uint32(lines), uint32(part), uint32(slot), uint32(c.outH), uint32(c.outW), uint32(c.co),
		uint32(c.h), uint32(c.w), uint32(c.ci), uint32(k), uint32(c.kh * width), uint32(width), uint32(c.stride), int32(c.pad),
	}, dy, x, parts)
}
