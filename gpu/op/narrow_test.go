package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

var narrowTypes = map[string]gpu.Type{"F16": gpu.F16, "BF16": gpu.BF16}

// The shaders round as the host does, to the bit: ordinary numbers, ties,
// numbers too small and too large, infinities and what is no number.
func TestCast(t *testing.T) {
	values := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 65504, 65519, 65520, -65536, 1e38, 3.4028235e38,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
		math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff),
		1 + 1./1024, 1 + 1./2048, 1 + 3./2048, 1 + 1./256, 1 + 3./256, 1 + 1./256 + 1./65536,
		6.1035156e-05, 6.1035152e-05, 6.0975552e-05, 5.9604645e-08, 2.9802322e-08, 2.9802326e-08, 8.940697e-08, 1e-20}
	for _, v := range gputest.Normal(1, 4096) {
		values = append(values, v, v*1e-5, v*1e5)
	}
	values = values[:len(values)/4*4]
	for name, typ := range narrowTypes {
		t.Run(name, func(t *testing.T) {
			c := gputest.New(t)
			x := c.Input("x", values, len(values))
			y, back := c.Output("y", typ, len(values)), c.Output("back", gpu.F32, len(values))
			cast(c.Graph, y, x)
			cast(c.Graph, back, y)
			c.Run()
			want := gputest.Round(typ, values)
			for i, got := range c.Floats(y) {
				if !same(got, want[i]) || !same(c.Floats(back)[i], want[i]) {
					t.Errorf("%g (%#x) became %g and %g, want %g", values[i], math.Float32bits(values[i]), got, c.Floats(back)[i], want[i])
				}
			}
		})
	}
}

// same compares to the bit, but for what is no number.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// twin records an operation twice: on tensors of 16 bits, and on the same
// values as float32.
type twin struct {
	*gputest.Case
	typ    gpu.Type // of the narrow one
	narrow bool     // which of the two is recorded
}

// in is an input that is narrow in the narrow recording.
func (w *twin) in(seed uint64, shape ...int) *gpu.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := gputest.Round(w.typ, gputest.Normal(seed, n))
	if w.narrow {
		return w.InputAs("in", w.typ, values, shape...)
	}
	return w.Input("in", values, shape...)
}

// out is an output that is narrow in the narrow recording.
func (w *twin) out(shape ...int) *gpu.Tensor {
	if w.narrow {
		return w.Output("out", w.typ, shape...)
	}
	return w.Output("out", gpu.F32, shape...)
}

// Tensors of 16 bits hold what float32 ones would, rounded: every kernel that
// takes them computes the same on the same values. Compilers may contract products
// and sums otherwise there, Mesa's llvmpipe does not: then each of the operations
// that lead to a result, of which there are at most so many one after another, may
// be off by half an epsilon in either recording, and its rounding to 16 bits may
// tip. Where no product is added to anything there is nothing to contract.
func TestNarrowTensors(t *testing.T) {
	const rows, width = 70, 96
	tape := func(w *twin) *Tape {
		tape := NewTape(w.Graph)
		if w.narrow {
			tape.Type = w.typ
		}
		return tape
	}
	for name, c := range map[string]struct {
		operations float64
		record     func(w *twin) []*gpu.Tensor
	}{
		"add": {0, func(w *twin) []*gpu.Tensor {
			y := w.Graph.New("y", w.in(1, 4).Type, rows, width)
			w.Graph.Copy(y, w.in(2, rows, width))
			add(w.Graph, y, w.in(3, rows, width))
			return []*gpu.Tensor{w.Keep(y)}
		}},
		"multiply": {0, func(w *twin) []*gpu.Tensor {
			z := w.out(rows, width)
			multiply(w.Graph, z, w.in(2, rows, width), w.in(3, rows, width))
			return []*gpu.Tensor{z}
		}},
		"colsum": {0, func(w *twin) []*gpu.Tensor {
			sum := w.Output("sum", gpu.F32, width)
			ColSum(w.Graph, sum, w.in(1, 3*colSumPart, width), 1, false)
			return []*gpu.Tensor{sum}
		}},
		"product": {width + 4, func(w *twin) []*gpu.Tensor {
			c := w.out(rows, 40) // without GELU, which TestGELURounded has
			Gemm(w.Graph, GEMM{A: w.in(1, rows, width), B: w.in(2, 40, width), TransB: true, C: c,
				Bias: w.Input("bias", gputest.Normal(3, 40), 40), Factor: w.in(4, rows, 40), Residual: w.in(5, rows, 40)})
			return []*gpu.Tensor{c}
		}},
		"split product": {2048, func(w *twin) []*gpu.Tensor {
			c := w.out(12, 8)
			Gemm(w.Graph, GEMM{A: w.in(1, 2048, 12), TransA: true, B: w.in(2, 2048, 8), C: c, Residual: w.in(5, 12, 8)})
			return []*gpu.Tensor{c}
		}},
		"layer norm": {3*width + 16, func(w *twin) []*gpu.Tensor {
			tape := tape(w)
			x, gamma, beta := w.Input("x", gputest.Normal(1, rows*width), rows, width), w.Input("gamma", gputest.Normal(2, width), width), w.Input("beta", gputest.Normal(3, width), width)
			dx, dgamma, dbeta := w.Output("dx", gpu.F32, rows, width), w.Output("dgamma", gpu.F32, width), w.Output("dbeta", gpu.F32, width)
			tape.Param(x, dx, false)
			tape.Param(gamma, dgamma, false)
			tape.Param(beta, dbeta, false)
			y := LayerNorm(tape, x, gamma, beta, 1e-6)
			kept := w.Keep(y)
			tape.Backward(y, w.in(4, rows, width))
			return []*gpu.Tensor{kept, dx, dgamma, dbeta}
		}},
		"weight norm": {width + 16, func(w *twin) []*gpu.Tensor {
			y := WeightNorm(tape(w), w.Input("v", gputest.Normal(1, rows*width), rows, width), w.Input("g", gputest.Normal(2, rows), rows))
			return []*gpu.Tensor{w.Keep(y)}
		}},
		"L2 norm": {2*width + 16, func(w *twin) []*gpu.Tensor {
			tape := tape(w)
			x, dx := w.Input("x", gputest.Normal(1, rows*width), rows, width), w.Output("dx", gpu.F32, rows, width)
			tape.Param(x, dx, false)
			y := L2Norm(tape, x)
			kept := w.Keep(y)
			tape.Backward(y, w.in(2, rows, width))
			return []*gpu.Tensor{kept, dx}
		}},
		"residual": {0, func(w *twin) []*gpu.Tensor {
			tape := tape(w)
			x, f := w.Input("x", gputest.Normal(1, rows*width), rows, width), w.in(2, rows, width)
			df := w.out(rows, width)
			tape.Param(f, df, false)
			y := Residual(tape, x, f, nil, 0, 0)
			kept := w.Keep(y)
			tape.Backward(y, w.Input("dy", gputest.Round(w.typ, gputest.Normal(3, rows*width)), rows, width))
			return []*gpu.Tensor{kept, df}
		}},
		"attention":                    {2*32 + 3*66 + 16, narrowAttention("registers")},
		"attention from shared memory": {2*32 + 3*66 + 16, narrowAttention("shared memory")},
	} {
		for typeName, typ := range narrowTypes {
			t.Run(fmt.Sprint(name, "/", typeName), func(t *testing.T) {
				var results [2][][]float32
				var kinds []gpu.Type
				for i, narrow := range []bool{false, true} {
					w := &twin{gputest.New(t), typ, narrow}
					caps := w.Dev.Caps()
					caps.Features &^= gpu.UniformLoads // variants for float32 alone, with sums in another order
					w.Graph = gpu.NewGraph(caps)
					outputs := c.record(w)
					w.Run()
					kinds = nil
					for _, out := range outputs {
						results[i], kinds = append(results[i], w.Floats(out)), append(kinds, out.Type)
						if narrow && out.Type == typ {
							results[0][len(results[1])-1] = gputest.Round(typ, results[0][len(results[1])-1])
						}
					}
				}
				for i, want := range results[0] {
					bound := gputest.Eps(0)
					if c.operations > 0 && gputest.Open(t).Info().Driver != "llvmpipe" {
						bound = stored(kinds[i], stored(kinds[i], gputest.EpsOf(c.operations, largest(gputest.Float64(want)))))
					}
					if err := gputest.Compare(results[1][i], gputest.Float64(want), bound); err != nil {
						t.Errorf("output %d: %v", i, err)
					}
				}
			})
		}
	}
}

// narrowAttention records attention on the kind of device that attentionCaps
// knows, of sequences that are one block and others.
func narrowAttention(kind string) func(w *twin) []*gpu.Tensor {
	return func(w *twin) []*gpu.Tensor {
		const rows, width, heads = 106, 96, 3
		runs := []Run{{2, 20}, {1, 66}}
		w.Graph = gpu.NewGraph(attentionCaps(w.Dev, kind))
		qkv, o, lse := w.in(1, rows, 3*width), w.out(rows, width), w.Output("lse", gpu.F32, rows, heads)
		dqkv, delta := w.out(rows, 3*width), w.InOut("delta", make([]float32, rows*heads), rows, heads)
		given, do := w.in(2, rows, width), w.in(3, rows, width)
		for _, s := range stretches(w.Graph, runs, 3*width) {
			s.attention(w.Graph, s.attentionShader(w.Graph, attentionFwd, qkv, heads), heads, false, qkv, o, lse)
			s.attentionBackward(w.Graph, heads, false, qkv, given, lse, do, dqkv, delta)
		}
		return []*gpu.Tensor{o, lse, dqkv, delta}
	}
}
