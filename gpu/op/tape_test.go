package op

import (
	"testing"

	"dino-vk/gpu"
)

// Of y = x + x the gradient must not be handed on twice in the same memory.
func TestPassGradOnce(t *testing.T) {
	g := gpu.NewGraph(gpu.MinimalCaps)
	s := gpu.NewStore()
	tape := NewTape(g)
	w, dw := s.New("w", gpu.F32, 64), s.New("dw", gpu.F32, 64)
	tape.Param(w, dw, false)
	a, b, y := g.New("a", gpu.F32, 64), g.New("b", gpu.F32, 64), g.New("y", gpu.F32, 64)
	tape.Push(a, func(dy *gpu.Tensor) { tape.PassGrad(w, dy) }, w)
	tape.Push(b, func(dy *gpu.Tensor) { tape.PassGrad(w, dy) }, w)
	tape.Push(y, func(dy *gpu.Tensor) { tape.PassGrad(a, dy); tape.PassGrad(b, dy) }, a, b)
	seed := g.New("dy", gpu.F32, 64)
	g.Fill(seed, 0)
	tape.Backward(y, seed)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	da, db := tape.GradOf(a), tape.GradOf(b)
	if da == nil || db == nil || da.Range() == db.Range() {
		t.Errorf("gradients of a and b are %v and %v: they must be two tensors", da, db)
	}
	if tape.GradOf(w).Range() != dw.Range() {
		t.Error("the gradient of w is not in the tensor given for it")
	}
}

// The teacher records no backward.
func TestNoGrad(t *testing.T) {
	tape := NewTape(gpu.NewGraph(gpu.MinimalCaps))
	s := gpu.NewStore()
	w, dw := s.New("w", gpu.F32, 64), s.New("dw", gpu.F32, 64)
	tape.Param(w, dw, false)
	tape.NoGrad(func() {
		if tape.Needs(w) {
			t.Error("a gradient is needed under NoGrad")
		}
	})
	if !tape.Needs(w) {
		t.Error("no gradient is needed outside NoGrad")
	}
}
