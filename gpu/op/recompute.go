package op

import "dino-vk/gpu"

// twice is what the two recordings of a Recompute share.
type twice struct {
	again bool            // the second is under way
	kept  [][]*gpu.Tensor // what once gave, in the order of the recording
}

// Recompute is y = f(x), of which no intermediate result is kept for the
// backward: that records f(x) again before f's own backward, for one more
// forward pass of time (Chen et al., arXiv 1604.06174). What else f reads, such
// as weights and draws, must stay as it is; its kernels give the same bits when
// they run again. Within f, and where x needs no gradient, it is f(x) alone.
func (t *Tape) Recompute(x *gpu.Tensor, f func(x *gpu.Tensor) *gpu.Tensor) (y *gpu.Tensor) {
	if t.twice != nil || !t.Needs(x) {
		return f(x)
	}
	shared := &twice{}
	record := func() *gpu.Tensor {
		t.twice = shared
		defer func() { t.twice = nil }()
		return f(x)
	}
	t.NoGrad(func() { y = record() })
	shared.again = true
	t.Push(y, func(dy *gpu.Tensor) {
		rest := t.back
		t.back = nil
		t.Backward(record(), dy)
		t.back = rest
	}, x)
	return y
}

// once gives the tensors that f records, in a second recording by Recompute
// those of the first: for what is small, or moves something that must not move
// twice.
func (t *Tape) once(f func() []*gpu.Tensor) (list []*gpu.Tensor) {
	if t.twice == nil {
		return f()
	}
	if t.twice.again {
		list, t.twice.kept = t.twice.kept[0], t.twice.kept[1:]
		return list
	}
	list = f()
	t.twice.kept = append(t.twice.kept, list)
	return list
}
