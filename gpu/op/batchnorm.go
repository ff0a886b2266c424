package op

import "dino-vk/gpu"

var (
	batchNormStats   = rowsKernel("batchnorm_stats")
	batchNormCombine = gpu.Plain("batchnorm_combine")
	batchNormFinish  = gpu.Plain("batchnorm_finish")
	batchNormFwd     = rowsKernel("batchnorm_fwd")
	batchNormSums    = rowsKernel("batchnorm_sums")
	batchNormBwd     = rowsKernel("batchnorm_bwd")
)

// Batch norm's constants, as PyTorch's BatchNorm1d and 2d have them.
const (
	BatchNormEps      = 1e-5
	BatchNormMomentum = 0.1
)

const (
	batchNormChunk = rowAlign // rows, or parts, that an invocation sums
	batchNormStrip = 16       // rows that an invocation maps
)

// BatchNormWeights are the tensors of a batch norm of C channels: weight gamma
// and bias beta (C), running mean and variance (C), and the number of batches
// that these have seen, a float32 without axes that stops counting at 2^24.
type BatchNormWeights struct{ Weight, Bias, Mean, Var, Batches *gpu.Tensor }

// BatchNormParams lists the tensors of a batch norm by PyTorch's names.
func BatchNormParams(name string, channels int) []Param {
	shape := []int{channels}
	return []Param{
		{Name: name + ".weight", Shape: shape, Init: Constant(1)},
		{Name: name + ".bias", Shape: shape, Init: Constant(0)},
		{Name: name + ".running_mean", Shape: shape, Init: Constant(0), Buffer: true},
		{Name: name + ".running_var", Shape: shape, Init: Constant(1), Buffer: true},
		{Name: name + ".num_batches_tracked", Shape: []int{}, Init: Constant(0), Buffer: true},
	}
}

// BatchNorm finds the tensors of BatchNormParams.
func (w Weights) BatchNorm(name string) BatchNormWeights {
	return BatchNormWeights{
		w(name + ".weight"), w(name + ".bias"),
		w(name + ".running_mean"), w(name + ".running_var"), w(name + ".num_batches_tracked"),
	}
}

// activation is what follows a batch norm (shaders/include/batchnorm.glsl).
type activation uint32

const (
	noActivation activation = iota
	relu
	gelu
)

// BatchNorm is y = (x - mean) / sqrt(var + eps) gamma + beta by channel, the last
// axis of x (…, C) (Ioffe and Szegedy, arXiv 1502.03167). With train, mean and
// variance are the batch's, of which there must be more than one value a
// channel, and move the running ones; without, they are the running ones, and
// no gradient can be had.
func BatchNorm(t *Tape, x *gpu.Tensor, w BatchNormWeights, train bool) *gpu.Tensor {
	return batchNorm{x: x, w: w}.record(t, train)
}

// BatchNormReLU is relu(BatchNorm(x)).
func BatchNormReLU(t *Tape, x *gpu.Tensor, w BatchNormWeights, train bool) *gpu.Tensor {
	return batchNorm{x: x, w: w, act: relu}.record(t, train)
}

// BatchNormGELU is gelu(BatchNorm(x)), the exact GELU.
func BatchNormGELU(t *Tape, x *gpu.Tensor, w BatchNormWeights, train bool) *gpu.Tensor {
	return batchNorm{x: x, w: w, act: gelu}.record(t, train)
}

// BatchNormAddReLU is relu(BatchNorm(x) + residual), residual of x's shape.
func BatchNormAddReLU(t *Tape, x *gpu.Tensor, w BatchNormWeights, residual *gpu.Tensor, train bool) *gpu.Tensor {
	return batchNorm{x: x, w: w, act: relu, residual: residual}.record(t, train)
}

// batchNorm is one that is being recorded.
type batchNorm struct {
	x, residual *gpu.Tensor
	w           BatchNormWeights
	act         activation
	y           *gpu.Tensor
	mean, rstd  *gpu.Tensor // of the batch, (C)
}

func (b batchNorm) record(t *Tape, train bool) *gpu.Tensor {
	g := t.G
	if g.Err() != nil {
		return b.x
	}
	rows, width := b.size()
	b.y = g.New("batchnorm", gpu.F32, b.x.Shape...)
	inputs := []*gpu.Tensor{b.x, b.w.Weight, b.w.Bias, b.residual}
	switch {
	case b.w.Weight.Len() != width || b.w.Bias.Len() != width || b.w.Mean.Len() != width || b.w.Var.Len() != width || b.w.Batches.Len() != 1:
		g.Errorf("batch norm of %v with %v, %v, %v, %v and %v", b.x, b.w.Weight, b.w.Bias, b.w.Mean, b.w.Var, b.w.Batches)
	case b.residual != nil && (b.residual.Len() != b.x.Len() || b.residual.Dim(-1) != width):
		g.Errorf("batch norm of %v plus %v", b.x, b.residual)
	case train && rows < 2:
		g.Errorf("batch norm of %v: training needs more than one value per channel", b.x)
	case train:
		kept := t.once(func() []*gpu.Tensor {
			b.statistics(g)
			return []*gpu.Tensor{b.mean, b.rstd}
		})
		b.mean, b.rstd = kept[0], kept[1]
		b.forward(g, b.mean, b.rstd, false)
		t.Push(b.y, func(dy *gpu.Tensor) { b.backward(t, dy) }, inputs...)
	default:
		for _, x := range inputs {
			if t.Needs(x) {
				g.Errorf("batch norm of %v: evaluation has no gradient", b.x)
			}
		}
		b.forward(g, b.w.Mean, b.w.Var, true)
	}
	return b.y
}

func (b batchNorm) size() (rows, width int) {
	_, rows, width = matrix(b.x)
	return rows, width
}

// statistics records mean and rstd of the batch, in stages of fixed order, and
// the step of the running statistics.
func (b *batchNorm) statistics(g *gpu.Graph) {
	x, rows, width := matrix(b.x)
	quads := ceilDiv(width, 4)
	b.mean, b.rstd = g.New("mean", gpu.F32, width), g.New("rstd", gpu.F32, width)
	count, span := ceilDiv(rows, batchNormChunk), batchNormChunk
	parts := g.New("batchnorm.parts", gpu.F32, count, 2, width)
	for _, s := range spans(g, rows, width) {
		push := struct{ Rows, Width, FirstChunk uint32 }{uint32(s.n), uint32(width), uint32(s.first / batchNormChunk)}
		g.Dispatch(quadShader(g, batchNormStats, width, s.of(x)), grid(g, ceilDiv(s.n, batchNormChunk)*quads, 64), push, s.of(x), parts)
	}
	for count > batchNormChunk {
		groups := ceilDiv(count, batchNormChunk)
		sums := g.New("batchnorm.parts", gpu.F32, groups, 2, width)
		push := struct{ Rows, Width, Count, Span uint32 }{uint32(rows), uint32(width), uint32(count), uint32(span)}
		g.Dispatch(quadShader(g, batchNormCombine, width), grid(g, groups*quads, 64), push, parts, sums)
		parts, count, span = sums, groups, span*batchNormChunk
	}
	push := struct {
		Rows, Width, Count, Span uint32
		Eps, Momentum            float32
	}{uint32(rows), uint32(width), uint32(count), uint32(span), BatchNormEps, BatchNormMomentum}
	g.Dispatch(quadShader(g, batchNormFinish, width), grid(g, quads, 64), push,
		parts, b.mean, b.rstd, b.w.Mean, b.w.Var, b.w.Batches)
}

// forward records y; spread is rstd, or the variance where it is running.
func (b batchNorm) forward(g *gpu.Graph, mean, spread *gpu.Tensor, running bool) {
	x, rows, width := matrix(b.x)
	y := b.y.Reshape(rows, width)
	push := struct {
		Rows, Width uint32
		Eps         float32
	}{Width: uint32(width), Eps: BatchNormEps}
	for _, s := range spans(g, rows, width) {
		push.Rows = uint32(s.n)
		shader := b.shader(g, batchNormFwd, b.act, s.of(x), b.residual != nil).With("RUNNING", bit(running))
		g.Dispatch(shader, b.strips(g, s.n, width), push,
			s.of(x), mean, spread, b.w.Weight, b.w.Bias, s.of(flat(b.residual, rows, width)), s.of(y))
	}
}

func (b batchNorm) backward(t *Tape, dy *gpu.Tensor) {
	g := t.G
	x, rows, width := matrix(b.x)
	up, y, act := dy.Reshape(rows, width), b.y.Reshape(rows, width), b.act
	sums, dz := b.sums(g, x, y, up)
	if dgamma, addGamma := t.Grad(b.w.Weight); dgamma != nil {
		dbeta, addBeta := t.Grad(b.w.Bias)
		if dbeta == nil {
			g.Errorf("batch norm: the weight has a gradient and the bias has none")
			return
		}
		push := struct{ Chunks, Width, AccumulateGamma, AccumulateBeta uint32 }{1, uint32(width), bit(addGamma), bit(addBeta)}
		g.Dispatch(quadShader(g, layerNormParamsSum, width), gpu.Groups{ceilDiv(width, 256), 1, 1}, push, sums, dgamma, dbeta)
	}
	if dz != nil { // the activation's slope is in it
		up, act = dz, noActivation
	}
	if dx, accumulate := t.Grad(b.x); dx != nil {
		dx = dx.Reshape(rows, width)
		push := struct{ Rows, Width, BatchRows, Accumulate uint32 }{0, uint32(width), uint32(rows), bit(accumulate)}
		for _, s := range spans(g, rows, width) {
			push.Rows = uint32(s.n)
			g.Dispatch(b.shader(g, batchNormBwd, act, s.of(x), false), b.strips(g, s.n, width), push,
				s.of(x), s.of(up), b.mean, b.rstd, b.w.Weight, b.w.Bias, sums, s.of(dx))
		}
	}
	if dz != nil {
		t.PassGrad(b.residual, dz.Reshape(b.x.Shape...))
	}
}

// sums records the sums over the batch of dz xhat and dz, (2, width), and, where
// there is a residual, dz itself.
func (b batchNorm) sums(g *gpu.Graph, x, y, dy *gpu.Tensor) (sums, dz *gpu.Tensor) {
	rows, width := x.Dim(0), x.Dim(1)
	if b.residual != nil {
		dz = g.New("dz", gpu.F32, rows, width)
	} else {
		y = nil
	}
	chunks, quads := ceilDiv(rows, batchNormChunk), ceilDiv(width, 4)
	parts := g.New("batchnorm.sums", gpu.F32, chunks, 2*width)
	for _, s := range spans(g, rows, width) {
		push := struct{ Rows, Width, FirstChunk uint32 }{uint32(s.n), uint32(width), uint32(s.first / batchNormChunk)}
		shader := b.shader(g, batchNormSums, b.act, s.of(x), b.residual != nil)
		g.Dispatch(shader, grid(g, ceilDiv(s.n, batchNormChunk)*quads, 64), push,
			s.of(x), s.of(dy), s.of(y), b.mean, b.rstd, b.w.Weight, b.w.Bias, parts, s.of(dz))
	}
	sums = g.New("batchnorm.sum", gpu.F32, 2, width)
	ColSum(g, sums.Reshape(2*width), parts, 1, false)
	return sums, dz
}

// shader is the variant of k for what it reads, of which nothing is larger than
// rows x.
func (b batchNorm) shader(g *gpu.Graph, k *gpu.Kernel, act activation, x *gpu.Tensor, residual bool) gpu.Shader {
	return quadShader(g, k, x.Dim(1), x).With("ACTIVATION", uint32(act)).With("RESIDUAL", bit(residual))
}

// strips is the grid that maps rows.
func (b batchNorm) strips(g *gpu.Graph, rows, width int) gpu.Groups {
	return grid(g, ceilDiv(rows, batchNormStrip)*ceilDiv(width, 4), 64)
}

// flat views an optional tensor as a matrix.
func flat(t *gpu.Tensor, rows, width int) *gpu.Tensor {
	if t == nil {
		return nil
	}
	return t.Reshape(rows, width)
}
