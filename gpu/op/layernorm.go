package op

import "dino-vk/gpu"

var (
	layerNormFwd       = rowsKernel("layernorm_fwd")
	layerNormBwd       = rowsKernel("layernorm_bwd")
	layerNormParams    = rowsKernel("layernorm_params")
	layerNormParamsSum = gpu.Plain("layernorm_params_sum")
)

// LayerNorm is y = (x - mean) / sqrt(var + eps) gamma + beta over the last axis
// of x (…, D), with gamma and beta (D) (Ba et al., arXiv 1607.06450).
func LayerNorm(t *Tape, x, gamma, beta *gpu.Tensor, eps float32) *gpu.Tensor {
	g := t.G
	in, rows, width := matrix(x)
	y := t.activation("layernorm", x.Shape...)
	if gamma.Len() != width || beta.Len() != width {
		g.Errorf("layer norm of %v with %v and %v", x, gamma, beta)
		return y
	}
	out, mean, rstd := y.Reshape(rows, width), g.New("mean", gpu.F32, rows), g.New("rstd", gpu.F32, rows)
	type push struct {
		Rows, Width uint32
		Eps         float32
	}
	for _, s := range spans(g, rows, width) {
		shader, groups := rowShader(g, layerNormFwd, s.n, width, s.of(in))
		g.Dispatch(shader, groups, push{uint32(s.n), uint32(width), eps},
			s.of(in), gamma, beta, s.of(out), s.of(mean), s.of(rstd))
	}
	t.Push(y, func(dy *gpu.Tensor) {
		layerNormBackward(t, x, gamma, beta, mean, rstd, dy)
	}, x, gamma, beta)
	return y
}

func layerNormBackward(t *Tape, x, gamma, beta, mean, rstd, dy *gpu.Tensor) {
	g := t.G
	in, rows, width := matrix(x)
	up := dy.Reshape(rows, width)
	if dgamma, addGamma := t.Grad(gamma); dgamma != nil {
		dbeta, addBeta := t.Grad(beta)
		layerNormParamGrads(g, in, mean, rstd, up, dgamma, dbeta, addGamma, addBeta)
	}
	dx, accumulate := t.Grad(x)
	if dx == nil {
		return
	}
	dx = dx.Reshape(rows, width)
	type push struct{ Rows, Width, Accumulate uint32 }
	for _, s := range spans(g, rows, width) {
		shader, groups := rowShader(g, layerNormBwd, s.n, width, s.of(in), s.of(up))
		g.Dispatch(shader, groups, push{uint32(s.n), uint32(width), bit(accumulate)},
			s.of(in), gamma, s.of(mean), s.of(rstd), s.of(up), s.of(dx))
	}
}

// layerNormParamGrads sums over the rows in two stages of fixed order.
func layerNormParamGrads(g *gpu.Graph, x, mean, rstd, dy, dgamma, dbeta *gpu.Tensor, addGamma, addBeta bool) {
	const mostChunks, leastRows = 64, 16
	rows, width := x.Dim(0), x.Dim(1)
	if dbeta == nil {
		g.Errorf("layer norm: gamma has a gradient and beta has none")
		return
	}
	chunkRows := min(max(leastRows, (rows+mostChunks-1)/mostChunks), mostIterations)
	parts := spans(g, rows, width)
	chunks := 0
	for _, s := range parts {
		chunks += (s.n + chunkRows - 1) / chunkRows
	}
	sums := g.New("layernorm.sums", gpu.F32, chunks, 2, width)
	columns := (width + 255) / 256 // workgroups of 64 quads
	first := 0
	for _, s := range parts {
		n := (s.n + chunkRows - 1) / chunkRows
		type push struct{ Rows, Width, ChunkRows, FirstChunk uint32 }
		g.Dispatch(quadShader(g, layerNormParams, width, s.of(x), s.of(dy)), gpu.Groups{columns, n, 1},
			push{uint32(s.n), uint32(width), uint32(chunkRows), uint32(first)},
			s.of(x), s.of(mean), s.of(rstd), s.of(dy), sums)
		first += n
	}
	type push struct{ Chunks, Width, AccumulateGamma, AccumulateBeta uint32 }
	g.Dispatch(quadShader(g, layerNormParamsSum, width), gpu.Groups{columns, 1, 1},
		push{uint32(chunks), uint32(width), bit(addGamma), bit(addBeta)}, sums, dgamma, dbeta)
}
