package op

import "dino-vk/gpu"

// Tape records operations into a graph and remembers how to record their
// backward.
type Tape struct {
	G *gpu.Graph
	// Type is what activations are kept in that only matrix products and
	// attention read, and their gradients: gpu.F32, or gpu.F16 or gpu.BF16, to
	// which these products then round their operands. Sums, residual streams,
	// statistics and the gradients of weights are float32 whatever it is.
	Type gpu.Type

	frozen bool   // under NoGrad
	twice  *twice // within Recompute
	back   []func()
	grads  map[key]*grad
	passed map[key]bool // gradients whose memory PassGrad handed on
	copies map[key]*gpu.Tensor
}

// key identifies a tensor by its memory: views of the same elements are the
// same tensor to the tape.
type key = gpu.Range

// grad is the gradient of one tensor.
type grad struct {
	t       *gpu.Tensor
	typ     gpu.Type    // of t, where the tape makes it
	arrived bool        // something was written to it
	uses    int         // operations with a backward that x is an input of
	factor  *gpu.Tensor // see leaveFactor
}

// NewTape records into g.
func NewTape(g *gpu.Graph) *Tape {
	return &Tape{G: g, grads: map[key]*grad{}, passed: map[key]bool{}, copies: map[key]*gpu.Tensor{}}
}

// NoGrad records without backward what f records: the teacher.
func (t *Tape) NoGrad(f func()) {
	outer := t.frozen
	t.frozen = true
	f()
	t.frozen = outer
}

// Param makes w a leaf whose gradient goes to dw. With accumulate, what dw
// holds already is added to, otherwise it is overwritten.
func (t *Tape) Param(w, dw *gpu.Tensor, accumulate bool) {
	t.grads[w.Range()] = &grad{t: dw, arrived: accumulate}
}

// Copy makes c, in the tape's Type, what products read of w.
func (t *Tape) Copy(w, c *gpu.Tensor) { t.copies[w.Range()] = c }

// operand is what a product reads of w.
func (t *Tape) operand(w *gpu.Tensor) *gpu.Tensor {
	if c := t.copies[w.Range()]; c != nil {
		return c.Reshape(w.Shape...)
	}
	return w
}

// activation is a new tensor in the tape's Type.
func (t *Tape) activation(name string, shape ...int) *gpu.Tensor {
	return t.G.New(name, t.typeOf(shape), shape...)
}

// typeOf is the type of an activation: rows of 16 bits are of multiples of four.
func (t *Tape) typeOf(shape []int) gpu.Type {
	if shape[len(shape)-1]%4 != 0 {
		return gpu.F32
	}
	return t.Type
}

// Needs reports whether x takes part in the backward.
func (t *Tape) Needs(x *gpu.Tensor) bool {
	if t.frozen || x == nil {
		return false
	}
	_, ok := t.grads[x.Range()]
	return ok
}

// Push notes that y was computed from inputs, and how to record the backward
// of that. Nothing happens if no input needs a gradient. back runs only if a
// gradient arrives at y.
func (t *Tape) Push(y *gpu.Tensor, back func(dy *gpu.Tensor), inputs ...*gpu.Tensor) {
	needed := false
	for _, x := range inputs {
		needed = needed || t.Needs(x)
	}
	if !needed {
		return
	}
	for _, x := range inputs {
		if t.Needs(x) {
			t.grads[x.Range()].uses++
		}
	}
	g := &grad{typ: y.Type}
	t.grads[y.Range()] = g
	scope := t.G.ScopeName()
	t.back = append(t.back, func() {
		if !g.arrived {
			return
		}
		defer t.G.Within(scope + " backward")()
		back(g.t)
	})
}

// Grad is the tensor that x's gradient goes to, nil if x needs none. A kernel
// must overwrite it, or add to it where accumulate is true; it counts as
// written from now on.
func (t *Tape) Grad(x *gpu.Tensor) (dx *gpu.Tensor, accumulate bool) {
	if !t.Needs(x) {
		return nil, false
	}
	g := t.grads[x.Range()]
	if g.t == nil {
		g.t = t.G.New("d"+x.Name, g.typ, x.Shape...)
	}
	accumulate = g.arrived
	g.arrived = true
	return g.t.Reshape(x.Shape...), accumulate
}

// GradOf is the gradient that has arrived at x, nil if none has.
func (t *Tape) GradOf(x *gpu.Tensor) *gpu.Tensor {
	if g := t.grads[x.Range()]; g != nil && g.arrived {
		return g.t
	}
	return nil
}

// wideGrad makes the gradient of y float32, whatever y is: a weight's.
func (t *Tape) wideGrad(y *gpu.Tensor) {
	if g := t.grads[y.Range()]; g != nil {
		g.typ = gpu.F32
	}
}

// leaveFactor notes that the backward of y's operation begins by multiplying
// dy by f, element by element. An operation that makes dy may do that on its
// way; what is left of it leftFactor gives to y's own backward.
func (t *Tape) leaveFactor(y, f *gpu.Tensor) {
	if g := t.grads[y.Range()]; g != nil {
		g.factor = f
	}
}

// takeFactor gives an operation that is about to make dx the factor left for
// it, nil if there is none or if others make a part of dx too.
func (t *Tape) takeFactor(x *gpu.Tensor) (f *gpu.Tensor) {
	if g := t.grads[x.Range()]; g != nil && g.uses == 1 && !g.arrived {
		f, g.factor = g.factor, nil
	}
	return f
}

// leftFactor is the factor that nobody has taken.
func (t *Tape) leftFactor(y *gpu.Tensor) *gpu.Tensor { return t.grads[y.Range()].factor }

// Backward seeds the gradient of y with dy and records the backward of
// everything that y came from, last operation first.
func (t *Tape) Backward(y, dy *gpu.Tensor) {
	g := t.grads[y.Range()]
	if g == nil {
		t.G.Errorf("backward: %v depends on no parameter", y)
		return
	}
	g.t, g.arrived = dy, true
	for i := len(t.back) - 1; i >= 0; i-- {
		t.back[i]()
	}
	t.back = nil
}

// PassGrad gives the gradient dy of y on to x: the backward of y = x + ….
// Where it can, it hands dy's memory on instead of copying, so the caller must
// have recorded every other use of dy before it returns.
func (t *Tape) PassGrad(x, dy *gpu.Tensor) {
	if !t.Needs(x) {
		return
	}
	g := t.grads[x.Range()]
	if g.t == nil && !t.passed[dy.Range()] && dy.Type == g.typ {
		t.passed[dy.Range()] = true
		g.t, g.arrived = dy, true
		return
	}
	dx, accumulate := t.Grad(x)
	switch {
	case accumulate:
		add(t.G, dx, dy)
	case dx.Type == dy.Type:
		t.G.Copy(dx, dy)
	default:
		cast(t.G, dx, dy)
	}
}

// grid is a two-dimensional grid of at least n/size workgroups for shaders
// that use globalIndex or groupIndex.
func grid(g *gpu.Graph, n, size int) gpu.Groups {
	groups := (n + size - 1) / size
	x := min(groups, int(g.Caps().MaxGroups[0]))
	return gpu.Groups{x, (groups + x - 1) / x, 1}
}
