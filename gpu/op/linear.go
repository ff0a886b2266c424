package op

import "dino-vk/gpu"

// Linear is y = x w^T + b: x (…, in), w (out, in), b (out) or nil, y (…, out).
func Linear(t *Tape, x, w, b *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b}, false)
}

// LinearInner is Linear whose y only attention or further products read: it is
// of the tape's Type.
func LinearInner(t *Tape, x, w, b *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b}, true)
}

// LinearResidual is y = x w^T + b + residual, residual (…, out).
func LinearResidual(t *Tape, x, w, b, residual *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b, Residual: residual}, false)
}

// LinearGELU is y = gelu(x w^T + b), the exact GELU, in the tape's Type. Where a backward will
// need it, the forward also keeps the GELU's derivative.
func LinearGELU(t *Tape, x, w, b *gpu.Tensor) (y *gpu.Tensor) {
	return linear(t, GEMM{A: x, B: w, Bias: b, GELU: true}, true)
}

func linear(t *Tape, p GEMM, inner bool) *gpu.Tensor {
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
	if inner {
		y = t.activation("y", shape...)
	}
	p.B, p.C, p.TransB, p.Type = t.operand(w), y, true, t.Type
	if p.GELU && (t.Needs(x) || t.Needs(w) || t.Needs(b)) {
		p.Slope = t.activation("slope", shape...)
	}
	Gemm(t.G, p)
	t.Push(y, func(dy *gpu.Tensor) { linearBackward(t, p, w, dy) }, x, w, b, p.Residual)
	t.leaveFactor(y, p.Slope)
	return y
}

// linearBackward records
//
//	dv = dy gelu'(v), v = x w^T + b; dx = dv w; dw = dv^T x; db = sum of dv's rows.
func linearBackward(t *Tape, p GEMM, w, dy *gpu.Tensor) {
	x, b := p.A, p.Bias
	dv := dy
	if slope := t.leftFactor(p.C); slope != nil {
		dv = t.activation("dv", dy.Shape...)
		multiply(t.G, dv, dy, slope)
	} else if t.typeOf(dy.Shape) != dy.Type {
		dv = t.activation("dv", dy.Shape...) // rounded once for two products
		cast(t.G, dv, dy)
	}
	dw, accumulate := t.Grad(w)
	db, accumulateBias := t.Grad(b)
	switch {
	case dw != nil:
		Gemm(t.G, GEMM{A: dv, TransA: true, B: x, C: dw, Accumulate: accumulate, Sums: db, AccumulateSums: accumulateBias, Type: t.Type})
	case db != nil:
		ColSum(t.G, db, dv, 1, accumulateBias)
	}
	factor := t.takeFactor(x)
	if dx, accumulate := t.Grad(x); dx != nil {
		Gemm(t.G, GEMM{A: dv, B: p.B, C: dx, Factor: factor, Accumulate: accumulate, Type: t.Type})
	}
	t.PassGrad(p.Residual, dy)
}
