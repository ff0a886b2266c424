package op

import "dino-vk/gpu"

var (
	rowNormFwd = rowsKernel("rownorm_fwd")
	rowNormBwd = rowsKernel("rownorm_bwd")
)

// L2Norm is y = x / max(|x|, 1e-12) over the last axis of x.
func L2Norm(t *Tape, x *gpu.Tensor) *gpu.Tensor {
	return rowNorm(t, x, nil, 1e-12, "l2norm")
}

// WeightNorm is w = g v / |v| for each row of v (K, D), with gains g (K) or
// (K, 1) (Salimans and Kingma, arXiv 1602.07868, equation 2). The tape decides
// which of v and g gets a gradient.
func WeightNorm(t *Tape, v, g *gpu.Tensor) *gpu.Tensor {
	if g.Len() != v.Dim(0) {
		t.G.Errorf("weight norm of %v with gains %v", v, g)
	}
	w := rowNorm(t, v, g, 0, "weightnorm")
	t.wideGrad(w)
	return w
}

func rowNorm(t *Tape, x, gain *gpu.Tensor, eps float32, name string) *gpu.Tensor {
	g := t.G
	in, rows, width := matrix(x)
	y := t.activation(name, x.Shape...)
	out := y.Reshape(rows, width)
	if gain != nil {
		gain = gain.Reshape(gain.Len())
	}
	type push struct {
		Rows, Width uint32
		Eps         float32
		HasGain     uint32
	}
	for _, s := range spans(g, rows, width) {
		shader, groups := rowShader(g, rowNormFwd, s.n, width, s.of(in))
		g.Dispatch(shader, groups, push{uint32(s.n), uint32(width), eps, bit(gain != nil)},
			s.of(in), s.of(gain), s.of(out))
	}
	t.Push(y, func(dy *gpu.Tensor) { rowNormBackward(t, x, gain, dy, eps) }, x, gain)
	return y
}

func rowNormBackward(t *Tape, x, gain, dy *gpu.Tensor, eps float32) {
	g := t.G
	in, rows, width := matrix(x)
	dx, addX := t.Grad(x)
	if dx == nil {
		g.Errorf("row norm: %v has a gradient and %v has none", gain, x)
		return
	}
	dx = dx.Reshape(rows, width)
	up := dy.Reshape(rows, width)
	dgain, addGain := t.Grad(gain)
	type push struct {
		Rows, Width                                    uint32
		Eps                                            float32
		HasGain, HasDGain, AccumulateX, AccumulateGain uint32
	}
	for _, s := range spans(g, rows, width) {
		shader, groups := rowShader(g, rowNormBwd, s.n, width, s.of(in), s.of(up))
		g.Dispatch(shader, groups,
			push{uint32(s.n), uint32(width), eps, bit(gain != nil), bit(dgain != nil), bit(addX), bit(addGain)},
			s.of(in), s.of(gain), s.of(up), s.of(dx), s.of(dgain))
	}
}
