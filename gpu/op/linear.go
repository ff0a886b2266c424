package op

import "dino-vk/gpu"

// Linear is y = x w^T + b: x (…, in), w (out, in), b (out) or nil, y (…, out).
func Linear(t *Tape, x, w, b *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b})
}

// LinearResidual is y = x w^T + b + residual, residual (…, out).
func LinearResidual(t *Tape, x, w, b, residual *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b, Residual: residual})
}

// LinearGELU is y = gelu(x w^T + b), the exact GELU. Where a backward will
// need it, the forward also keeps the GELU's derivative.
func LinearGELU(t *Tape, x, w, b *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b, GELU: true})
}

func linear(t *Tape, p GEMM) *gpu.Tensor {
	if t.G.Err() != nil {
		return p.A
	}
	x, w, b := p.A, p.B, p.Bias
	if len(x.Shape) == 0 || len(w.Shape) != 2 {
		t.G.Errorf("linear: weight %v for %v", w, x)
		return x
	}
	shape := append([]int(nil), x.Shape...)
	shape[len(shape)-1] = w.Dim(0)
	y := t.G.New("y", gpu.F32, shape...)
	p.C, p.TransB = y, true
	if p.GELU && (t.Needs(x) || t.Needs(w) || t.Needs(b)) {
		p.Slope = t.G.New("slope", gpu.F32, shape...)
	}
	Gemm(t.G, p)
	t.Push(y, func(dy *gpu.Tensor) { linearBackward(t, p, dy) }, x, w, b, p.Residual)
	t.leaveFactor(y, p.Slope)
	return y
}

// linearBackward records
//
//	dv = dy gelu'(v), v = x w^T + b; dx = dv w; dw = dv^T x; db = sum of dv's rows.
func linearBackward(t *Tape, p GEMM, dy *gpu.Tensor) {
	x, w, b := p.A, p.B, p.Bias
	dv := dy
	if slope := t.leftFactor(p.C); slope != nil {
		dv = t.G.New("dv", gpu.F32, dy.Shape...)
		multiply(t.G, dv, dy, slope)
	}
	if dw, accumulate := t.Grad(w); dw != nil {
		Gemm(t.G, GEMM{A: dv, TransA: true, B: x, C: dw, Accumulate: accumulate})
	}
	if db, accumulate := t.Grad(b); db != nil {
		ColSum(t.G, db, dv, 1, accumulate)
	}
	factor := t.takeFactor(x)
	if dx, accumulate := t.Grad(x); dx != nil {
		Gemm(t.G, GEMM{A: dv, B: w, C: dx, Factor: factor, Accumulate: accumulate})
	}
	t.PassGrad(p.Residual, dy)
}

var multiplyKernel = gpu.Plain("multiply")

// multiply records z = x y, element by element.
func multiply(g *gpu.Graph, z, x, y *gpu.Tensor) {
	n := z.Len()
	rows := int(g.Caps().MaxBinding / 4)
	flat := func(t *gpu.Tensor) *gpu.Tensor { return t.Reshape(t.Len()) }
	for at := 0; at < n; at += rows {
		m := min(rows, n-at)
		g.Dispatch(g.Pick(multiplyKernel, m), grid(g, m, 256), struct{ N uint32 }{uint32(m)},
			flat(z).Rows(at, m), flat(x).Rows(at, m), flat(y).Rows(at, m))
	}
}
