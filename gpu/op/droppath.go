package op

import "dino-vk/gpu"

var (
	dropPathDraw = gpu.Plain("droppath_draw")
	dropPathFwd  = withUniform(rowsKernel("droppath_fwd"), fitsUniform)
	dropPathBwd  = withUniform(rowsKernel("droppath_bwd"), fitsUniform)
)

// Packing says how packed tokens (rows, D) divide into sequences, crop-major:
// the first Globals·Batch sequences have GlobalTokens rows each, the other
// (Crops-Globals)·Batch have LocalTokens.
type Packing struct {
	Batch, Crops, Globals     int
	GlobalTokens, LocalTokens int
}

// Rows is the number of rows of all sequences.
func (p Packing) Rows() int {
	return p.Batch * (p.Globals*p.GlobalTokens + (p.Crops-p.Globals)*p.LocalTokens)
}

// DropPath is stochastic depth (Huang et al., arXiv 1603.09382): the factor of
// each residual branch for each sequence in a step. A nil *DropPath drops
// nothing.
type DropPath struct {
	scale *gpu.Tensor // (2·layers, sequences)
	pack  Packing
}

// NewDropPath draws the factors: layer l of layers loses its two branches with
// probability rate·l/(layers-1), each by itself, and what is kept is divided
// by its probability. The draw is named by the seed and epoch of params
// (StepParams) and the image's id, the last column of images (Batch, 4) u32.
// It returns nil for rate 0.
func NewDropPath(g *gpu.Graph, rate float32, layers int, pack Packing, images, params *gpu.Tensor) *DropPath {
	if rate == 0 {
		return nil
	}
	if rate < 0 || rate >= 1 {
		g.Errorf("drop path rate %g: must be in [0, 1)", rate)
	}
	sequences := pack.Batch * pack.Crops
	d := &DropPath{g.New("droppath", gpu.F32, 2*layers, sequences), pack}
	push := struct {
		Layers, Sequences, Batch uint32
		Rate                     float32
	}{uint32(layers), uint32(sequences), uint32(pack.Batch), rate}
	g.Dispatch(g.Pick(dropPathDraw, nil), grid(g, d.scale.Len(), 64), push, images, params, d.scale)
	return d
}

type dropPathPush struct {
	Rows, Width, FirstRow, HasScale, FirstScale    uint32
	Globals, GlobalTokens, LocalTokens, Accumulate uint32
}

// push describes the rows of s; branch numbers all branches of all layers.
func (d *DropPath) push(s span, width, branch int) dropPathPush {
	p := dropPathPush{Rows: uint32(s.n), Width: uint32(width), FirstRow: uint32(s.first), GlobalTokens: 1, LocalTokens: 1}
	if d != nil {
		p.HasScale = 1
		p.FirstScale = uint32(branch * d.scale.Dim(1))
		p.Globals = uint32(d.pack.Globals * d.pack.Batch)
		p.GlobalTokens, p.LocalTokens = uint32(d.pack.GlobalTokens), uint32(max(d.pack.LocalTokens, 1))
	}
	return p
}

func (d *DropPath) factors() *gpu.Tensor {
	if d == nil {
		return nil
	}
	return d.scale
}

// factorsAt is the argument that droppath_uniform.glsl reads factors from: other, of
// which it reads nothing, where there are none.
func (d *DropPath) factorsAt(other gpu.Address) gpu.Address {
	if d == nil {
		return other
	}
	return 0
}

// inUniform is inUniform with what the kernel must know to find a row's factor.
func (d *DropPath) inUniform(sh gpu.Shader, rows, width int) (gpu.Shader, gpu.Groups) {
	if d != nil {
		p := d.push(span{}, width, 0)
		sh = sh.With("DROPS", 1).With("GLOBAL_ROWS", p.Globals*p.GlobalTokens).
			With("GLOBAL_TOKENS", p.GlobalTokens).With("LOCAL_TOKENS", p.LocalTokens)
	}
	return inUniform(sh, rows, width)
}

// Residual is y = x + s f, where f is the output of a branch (0 attention, 1
// MLP) of a layer, and s the factor that d drew for it and each sequence.
// x, f, y (rows, D).
func Residual(t *Tape, x, f *gpu.Tensor, d *DropPath, layer, branch int) *gpu.Tensor {
	g := t.G
	in, rows, width := matrix(x)
	y := g.New("residual", gpu.F32, x.Shape...)
	switch {
	case f.Len() != x.Len() || f.Dim(-1) != width:
		g.Errorf("residual of %v and %v", x, f)
		return y
	case d != nil && (rows != d.pack.Rows() || 2*layer+branch >= d.scale.Dim(0)):
		g.Errorf("residual of %v: drop path is for %d rows and %d branches, this is %d", x, d.pack.Rows(), d.scale.Dim(0), 2*layer+branch)
		return y
	}
	out, add := y.Reshape(rows, width), f.Reshape(rows, width)
	for _, s := range uniformSpans(g, rows, width) {
		args := []*gpu.Tensor{d.factors(), s.of(in), s.of(add), s.of(out)}
		shader := g.Pick(dropPathFwd, rowsProblem{width, args[1:3], args[3]})
		push := d.push(s, width, 2*layer+branch)
		if isUniform(shader) {
			type uniformPush struct {
				Scale, X, Branch     gpu.Address
				FirstRow, FirstScale uint32
				Count                [16]uint32
			}
			shader, groups := d.inUniform(shader, s.n, width)
			g.Dispatch(shader, groups, uniformPush{d.factorsAt(1), 1, 2, push.FirstRow, push.FirstScale, counts()}, args...)
			continue
		}
		shader, groups := inRows(g, shader, s.n, width)
		g.Dispatch(shader, groups, push, args...)
	}
	t.Push(y, func(dy *gpu.Tensor) {
		residualBackward(t, f, d, 2*layer+branch, dy)
		t.PassGrad(x, dy)
	}, x, f)
	return y
}

func residualBackward(t *Tape, f *gpu.Tensor, d *DropPath, branch int, dy *gpu.Tensor) {
	df, accumulate := t.Grad(f)
	if df == nil {
		return
	}
	down, rows, width := matrix(df)
	up := dy.Reshape(rows, width)
	g := t.G
	for _, s := range uniformSpans(g, rows, width) {
		args := []*gpu.Tensor{d.factors(), s.of(up), s.of(down)}
		shader := g.Pick(dropPathBwd, rowsProblem{width, args[1:2], args[2]})
		push := d.push(s, width, branch)
		if isUniform(shader) {
			type uniformPush struct {
				Scale, Dy, DBranchAt gpu.Address
				FirstRow, FirstScale uint32
				Count                [16]uint32
			}
			shader, groups := d.inUniform(shader, s.n, width)
			g.Dispatch(shader.With("ACCUMULATE", bit(accumulate)), groups,
				uniformPush{d.factorsAt(1), 1, 2, push.FirstRow, push.FirstScale, counts()}, args...)
			continue
		}
		shader, groups := inRows(g, shader, s.n, width)
		push.Accumulate = bit(accumulate)
		g.Dispatch(shader, groups, push, args...)
	}
}
