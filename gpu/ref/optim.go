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
