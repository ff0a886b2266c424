package bench

import "dino-vk/gpu/op"

// work is what an operation must do at least: the multiplications and additions
// of its matrix products (0 where it has none), and the bytes of what it reads
// and writes if everything is touched once.
type work struct{ flops, bytes float64 }

func (w work) plus(v work) work { return work{w.flops + v.flops, w.bytes + v.bytes} }

func (w work) times(n int) work { return work{w.flops * float64(n), w.bytes * float64(n)} }

// traffic is the work of moving so many float32 elements.
func traffic(elements ...int) work {
	n := 0
	for _, e := range elements {
		n += e
	}
	return work{bytes: 4 * float64(n)}
}

// product is the work of an (m, k) times a (k, n) matrix, apart from memory.
func product(m, n, k int) work { return work{flops: 2 * float64(m) * float64(n) * float64(k)} }

// linearWork is the work of y = x wᵀ + b on rows. extra counts further matrices
// of y's size: a residual, the GELU's derivative. Without dx, x needs no
// gradient.
func linearWork(rows, in, out, bias, extra int, dx bool) (forward, backward work) {
	x, y, w := rows*in, rows*out, out*in
	forward = product(rows, out, in).plus(traffic(x, w, bias, y, extra*y))
	backward = product(out, in, rows).plus(traffic(y, x, w, bias, extra*y))
	if dx {
		backward = backward.plus(product(rows, in, out)).plus(traffic(w, x))
	}
	return forward, backward
}

// attentionWork is the work of attention: two products forward; five backward,
// as the probabilities are computed again from q, k and their row's
// log-sum-exp.
func attentionWork(runs []op.Run, heads, dim int) (forward, backward work) {
	for _, r := range runs {
		one := product(r.Length, r.Length, dim).times(r.Sequences) // of all heads
		forward.flops += 2 * one.flops
		backward.flops += 5 * one.flops
	}
	tokens := op.Tokens(runs)
	qkv, o, lse := 3*dim*tokens, dim*tokens, heads*tokens
	return forward.plus(traffic(qkv, o, lse)), backward.plus(traffic(qkv, o, o, lse, qkv))
}

// layerNormWork is the work of layer norm.
func layerNormWork(rows, width int) (forward, backward work) {
	x, stats, params := rows*width, 2*rows, 2*width
	return traffic(x, x, stats, params), traffic(x, x, x, stats, width, params)
}

// convolutionWork is the work of a convolution of n images of side x side
// pixels to out x out, without padding's saving. Without dx, the images need no
// gradient.
func convolutionWork(n, side, out, in, channels, kernel int, dx bool) (forward, backward work) {
	x, y, w := n*side*side*in, n*out*out*channels, channels*in*kernel*kernel
	one := product(n*out*out, channels, in*kernel*kernel)
	forward = one.plus(traffic(x, w, y))
	backward = one.plus(traffic(y, x, w))
	if dx {
		backward = backward.plus(one).plus(traffic(w, x))
	}
	return forward, backward
}

// batchNormWork is the work of batch norm and ReLU in training. Every pass over
// the maps but the first must wait for sums over all of them, so they are read
// twice each way. With a residual y tells the ReLU's slope, and the residual's
// gradient is written.
func batchNormWork(rows, width int, residual bool) (forward, backward work) {
	x, stats, params := rows*width, 4*width, 2*width
	forward = traffic(2*x, x, stats, params)
	backward = traffic(2*x, 2*x, x, stats, 2*params)
	if residual {
		forward = forward.plus(traffic(x))
		backward = backward.plus(traffic(2 * x))
	}
	return forward, backward
}
