package ref

import "math"

// AdamW holds what one step of the optimizer needs for one tensor.
type AdamW struct {
	LR, Decay, Beta1, Beta2, Eps float64
	Bias1, Bias2                 float64 // 1 - beta^t
}

// Step updates p and its moments m, v with the gradient g (Loshchilov and
// Hutter, arXiv 1711.05101, algorithm 2, in PyTorch's order).
func (o AdamW) Step(p, g, m, v []float64) {
	for i := range p {
		p[i] *= 1 - o.LR*o.Decay
		m[i] = o.Beta1*m[i] + (1-o.Beta1)*g[i]
		v[i] = o.Beta2*v[i] + (1-o.Beta2)*g[i]*g[i]
		p[i] -= o.LR / o.Bias1 * m[i] / (math.Sqrt(v[i])/math.Sqrt(o.Bias2) + o.Eps)
	}
}

// Momentum holds what one step of SGD with momentum needs for one tensor, or of
// LARS where Eta is set.
type Momentum struct{ LR, Decay, Momentum, Eta float64 }

// Step updates p and its moment m, zero before the first step, with the gradient
// g: d = g + decay p, m = momentum m + rate d, p -= lr m (PyTorch's SGD without
// dampening). The rate is 1, or LARS's eta |p| / |d| (You et al., arXiv 1708.03888;
// the reference's utils.LARS), which is 1 where either norm is 0.
func (o Momentum) Step(p, g, m []float64) {
	d := make([]float64, len(p))
	for i := range d {
		d[i] = g[i] + o.Decay*p[i]
	}
	rate := 1.0
	if o.Eta > 0 && norm(p) > 0 && norm(d) > 0 {
		rate = o.Eta * norm(p) / norm(d)
	}
	for i := range p {
		m[i] = o.Momentum*m[i] + rate*d[i]
		p[i] -= o.LR * m[i]
	}
}

// Clip scales g to a norm of at most limit and returns the norm before.
// A limit of 0 means none.
func Clip(g []float64, limit float64) float64 {
	n := norm(g)
	if c := limit / (n + 1e-6); limit > 0 && c < 1 {
		for i := range g {
			g[i] *= c
		}
	}
	return n
}

// EMA is teacher = m teacher + (1-m) student.
func EMA(teacher, student []float64, m float64) {
	for i := range teacher {
		teacher[i] = m*teacher[i] + (1-m)*student[i]
	}
}
