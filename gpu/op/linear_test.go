package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// linearCase is a linear layer and the gradients it is asked for.
type linearCase struct {
	rows, in, out  int
	gelu, residual bool
	accumulate     bool // into the gradients of the parameters
	frozen         bool // x needs no gradient
}

func TestLinear(t *testing.T) {
	for _, c := range []linearCase{
		{rows: 1, in: 1, out: 1},
		{rows: 31, in: 33, out: 32, accumulate: true},
		{rows: 33, in: 31, out: 7, gelu: true},
		{rows: 64, in: 12, out: 20, gelu: true, frozen: true},
		{rows: 101, in: 103, out: 97, residual: true},
		{rows: 198, in: 96, out: 384, gelu: true, accumulate: true},
		{rows: 198, in: 384, out: 96, residual: true, accumulate: true},
		{rows: 2113, in: 24, out: 12},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) { testLinear(t, c) })
	}
}

func testLinear(t *testing.T, c linearCase) {
	k := gputest.New(t)
	nx, nw, ny := c.rows*c.in, c.out*c.in, c.rows*c.out
	x, w, b := gputest.Normal(1, nx), gputest.Normal(2, nw), gputest.Normal(3, c.out)
	r, dy := gputest.Normal(4, ny), gputest.Normal(5, ny)
	oldW, oldB := gputest.Normal(6, nw), gputest.Normal(7, c.out)

	tx, tw, tb := k.Input("x", x, c.rows, c.in), k.Input("w", w, c.out, c.in), k.Input("b", b, c.out)
	tr := k.Input("r", r, c.rows, c.out)
	dx, dr := k.Output("dx", gpu.F32, c.rows, c.in), k.Output("dr", gpu.F32, c.rows, c.out)
	dw, db := k.InOut("dw", oldW, c.out, c.in), k.InOut("db", oldB, c.out)
	tape := NewTape(k.Graph)
	tape.Param(tw, dw, c.accumulate)
	tape.Param(tb, db, c.accumulate)
	if !c.frozen {
		tape.Param(tx, dx, false)
	}
	tape.Param(tr, dr, false)
	var ty *gpu.Tensor
	switch {
	case c.gelu:
		ty = LinearGELU(tape, tx, tw, tb)
	case c.residual:
		ty = LinearResidual(tape, tx, tw, tb, tr)
	default:
		ty = Linear(tape, tx, tw, tb)
	}
	y := k.Keep(ty)
	tape.Backward(ty, k.Input("dy", dy, c.rows, c.out))
	k.Run()

	x64, w64, dv := gputest.Float64(x), gputest.Float64(w), gputest.Float64(dy)
	want := ref.Linear(x64, w64, gputest.Float64(b))
	terms := ref.Linear(abs(x64), abs(w64), abs(gputest.Float64(b)))
	dvError := make([]float64, ny) // of dv, in the forward's units
	units := math.Sqrt(float64(c.in)) + 4
	for i := range want {
		if c.residual {
			want[i] += float64(r[i])
			terms[i] += math.Abs(float64(r[i]))
		}
		if c.gelu {
			var slope float64
			want[i], slope = ref.GELU(want[i])
			dv[i] *= slope
			dvError[i] = math.Abs(float64(dy[i])) * (0.8*terms[i] + 8/units)
			terms[i] = 1.13*terms[i] + 8/units*math.Abs(want[i])
		}
	}
	k.Near(y, want, gputest.EpsTerms(units, terms))

	// An error of dv passes through the products linearly.
	wantX, wantW, wantB := ref.LinearBackward(x64, w64, dv, c.out)
	errX, errW, errB := ref.LinearBackward(abs(x64), abs(w64), dvError, c.out)
	termsX, termsW, termsB := ref.LinearBackward(abs(x64), abs(w64), abs(dv), c.out)
	if c.accumulate {
		addTo(wantW, oldW, termsW)
		addTo(wantB, oldB, termsB)
	}
	bound := func(n int, terms, err []float64) gputest.Bound {
		sum := gputest.EpsTerms(math.Sqrt(float64(n))+4, terms)
		return func(i int, want float64) float64 { return sum(i, want) + units*gputest.Epsilon*err[i] }
	}
	k.Near(dw, wantW, bound(c.rows, termsW, errW))
	k.Near(db, wantB, bound(c.rows, termsB, errB))
	if !c.frozen {
		k.Near(dx, wantX, bound(c.out, termsX, errX))
	}
	if c.residual {
		k.Near(dr, gputest.Float64(dy), gputest.Eps(0))
	}
}

// The gradient of a hidden layer behind a GELU, y = gelu(x w^T + b) u^T, where
// the layer after it multiplies by the GELU's slope on its way; and where the
// hidden layer has a second use, so that it can't.
func TestLinearGELUChain(t *testing.T) {
	const rows, in, hidden, out = 37, 12, 20, 8
	for _, twice := range []bool{false, true} {
		t.Run(fmt.Sprint("twice=", twice), func(t *testing.T) {
			k := gputest.New(t)
			x, w, b := gputest.Normal(1, rows*in), gputest.Normal(2, hidden*in), gputest.Normal(3, hidden)
			u, dy := gputest.Normal(4, out*hidden), gputest.Normal(5, rows*out)
			tx, tu := k.Input("x", x, rows, in), k.Input("u", u, out, hidden)
			tw, tb := k.Input("w", w, hidden, in), k.Input("b", b, hidden)
			dx, dw := k.Output("dx", gpu.F32, rows, in), k.Output("dw", gpu.F32, hidden, in)
			tape := NewTape(k.Graph)
			tape.Param(tx, dx, false)
			tape.Param(tw, dw, false)
			h := LinearGELU(tape, tx, tw, tb)
			y := Linear(tape, h, tu, nil)
			if twice {
				y = LinearResidual(tape, h, tu, nil, y)
			}
			tape.Backward(y, k.Input("dy", dy, rows, out))
			k.Run()

			// dh = dy u for each use of h; dv = dh gelu'(v).
			v := ref.Linear(gputest.Float64(x), gputest.Float64(w), gputest.Float64(b))
			dv, terms := ref.MatMul(gputest.Float64(dy), gputest.Float64(u), rows, hidden, out, false, false)
			for i := range v {
				_, slope := ref.GELU(v[i])
				if twice {
					slope *= 2
				}
				dv[i] *= slope
				terms[i] *= 2.3 // of |slope| at most 1.13, twice
			}
			wantX, wantW, _ := ref.LinearBackward(gputest.Float64(x), gputest.Float64(w), dv, hidden)
			termsX, termsW, _ := ref.LinearBackward(abs(gputest.Float64(x)), abs(gputest.Float64(w)), terms, hidden)
			// Roundings of v, dh and the last sum; a slope changes by at most
			// 0.8 of what v does, and |v| is below 20.
			units := math.Sqrt(in)*20 + math.Sqrt(out) + math.Sqrt(hidden) + 8
			k.Near(dx, wantX, gputest.EpsTerms(units, termsX))
			k.Near(dw, wantW, gputest.EpsTerms(units, termsW))
		})
	}
}

// addTo adds what a gradient held before.
func addTo(sum []float64, old []float32, terms []float64) {
	for i, v := range old {
		sum[i] += float64(v)
		terms[i] += math.Abs(float64(v))
	}
}

func abs(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Abs(v)
	}
	return y
}
