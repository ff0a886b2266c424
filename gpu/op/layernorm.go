package op

import "dino-vk/gpu"

var (
	layerNormFwd       = withUniform(rowsKernel("layernorm_fwd"), fitsUniform)
	layerNormBwd       = withUniform(rowsKernel("layernorm_bwd"), fitsUniform)
	layerNormParams    = withUniform(rowsKernel("layernorm_params"), fitsUniformColumns)
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
	for _, s := range uniformSpans(g, rows, width) {
		args := []*gpu.Tensor{s.of(in), gamma, beta, s.of(out), s.of(mean), s.of(rstd)}
		shader := g.Pick(layerNormFwd, rowsProblem{width, args[:1], args[3]})
		if isUniform(shader) {
			type push struct {
				X, Gamma, Beta gpu.Address
				Eps            float32
				Count          [16]uint32
			}
			shader, groups := inUniform(shader, s.n, width)
			g.Dispatch(shader, groups, push{0, 1, 2, eps, counts()}, args...)
			continue
		}
		shader, groups := inRows(g, shader, s.n, width)
		g.Dispatch(shader, groups, push{uint32(s.n), uint32(width), eps}, args...)
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
	for _, s := range uniformSpans(g, rows, width) {
		args := []*gpu.Tensor{s.of(in), gamma, s.of(mean), s.of(rstd), s.of(up), s.of(dx)}
		shader := g.Pick(layerNormBwd, rowsProblem{width, []*gpu.Tensor{args[0], args[4]}, args[5]})
		if isUniform(shader) {
			type push struct {
				X, Gamma, Mean, Rstd, Dy, DxAt gpu.Address
				Count                          [16]uint32
			}
			shader, groups := inUniform(shader, s.n, width)
			g.Dispatch(shader.With("ACCUMULATE", bit(accumulate)), groups, push{0, 1, 2, 3, 4, 5, counts()}, args...)
			continue
		}
		shader, groups := inRows(g, shader, s.n, width)
		g.Dispatch(shader, groups, push{uint32(s.n), uint32(width), bit(accumulate)}, args...)
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
	parts := spans(g, rows, width)
	defer g.Whole()() // variants cut the rows into other chunks
	shader := g.Pick(layerNormParams, rowsProblem{width: width, read: []*gpu.Tensor{x, dy}})
	uniform := isUniform(shader)
	chunkRows := min(max(leastRows, (rows+mostChunks-1)/mostChunks), mostIterations)
	if uniform {
		chunkRows = min(columnRows, rows)
	}
	chunks := 0
	for _, s := range parts {
		chunks += (s.n + chunkRows - 1) / chunkRows
	}
	sums := g.New("layernorm.sums", gpu.F32, chunks, 2, width)
	columns := (width + 255) / 256 // workgroups of 64 quads
	first := 0
	for _, s := range parts {
		if uniform { // of one part
			type push struct {
				X, Mean, Rstd, Dy gpu.Address
				Rows              uint32
				Count             [16]uint32
			}
			shader = shader.With("WIDTH", uint32(width)).With("BLOCKS", uint32(width/uniformBlock)).
				With("CHUNK", uint32(chunkRows)).With("TAIL", bit(rows%chunkRows != 0))
			g.Dispatch(shader, gpu.Groups{chunks, 1, 1}, push{0, 1, 2, 3, uint32(rows), counts()}, x, mean, rstd, dy, sums)
			break
		}
		n := (s.n + chunkRows - 1) / chunkRows
		type push struct{ Rows, Width, ChunkRows, FirstChunk uint32 }
		g.Dispatch(inQuads(shader, width), gpu.Groups{columns, n, 1},
			push{uint32(s.n), uint32(width), uint32(chunkRows), uint32(first)},
			s.of(x), s.of(mean), s.of(rstd), s.of(dy), sums)
		first += n
	}
	type push struct{ Chunks, Width, AccumulateGamma, AccumulateBeta uint32 }
	g.Dispatch(quadShader(g, layerNormParamsSum, width), gpu.Groups{columns, 1, 1},
		push{uint32(chunks), uint32(width), bit(addGamma), bit(addBeta)}, sums, dgamma, dbeta)
}

// columnRows are the rows that a subgroup of layernorm_params_uniform sums.
const columnRows = 64

// fitsUniformColumns reports whether rows are whole blocks of float32.
func fitsUniformColumns(caps gpu.Caps, problem any) bool {
	p := problem.(rowsProblem)
	return p.width%uniformBlock == 0 && p.width <= uniformWidth && wide(p.read...) &&
		p.read[0].Len()/p.width <= columnRows*mostIterations && p.read[0].Bytes() <= caps.MaxBinding
}
