package gputest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"dino-vk/gpu"
)

// Epsilon is the distance from 1 to the next float32, 2^-23. One correctly
// rounded operation errs by at most half of it, relatively.
const Epsilon = 1.0 / (1 << 23)

// Bound is the absolute error allowed at element i of a result whose exact
// value is want.
type Bound func(i int, want float64) float64

// Eps allows k units of Epsilon relative to the value itself: for operations
// without cancellation.
func Eps(k float64) Bound { return EpsOf(k, 0) }

// EpsOf allows k units of Epsilon relative to the larger of the value and
// scale, the size of what is added up: for operations whose terms can cancel.
func EpsOf(k, scale float64) Bound {
	return func(_ int, want float64) float64 {
		return k*Epsilon*max(math.Abs(want), scale) + math.SmallestNonzeroFloat32
	}
}

// EpsTerms allows k units of Epsilon relative to terms[i], the sum of the
// absolute values of the terms that make element i: for a sum of n products
// in any order k = n is safe, and k = √n is typical.
func EpsTerms(k float64, terms []float64) Bound {
	return func(i int, _ float64) float64 {
		return k*Epsilon*terms[i] + math.SmallestNonzeroFloat32
	}
}

// Compare checks every element of got against want. The error names the
// element furthest beyond its bound.
func Compare(got []float32, want []float64, bound Bound) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	}
	worst, at, bad := 0.0, -1, 0
	for i, g := range got {
		w := want[i]
		if float64(g) == w || math.IsNaN(float64(g)) && math.IsNaN(w) {
			continue // equal infinities too
		}
		excess := math.Abs(float64(g)-w) / bound(i, w)
		if math.IsNaN(excess) {
			excess = math.Inf(1)
		}
		if excess > 1 {
			bad++
		}
		if excess > worst {
			worst, at = excess, i
		}
	}
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d elements are out of bounds; the worst is %d: got %v, want %v, error %.3g of allowed %.3g",
		bad, len(got), at, got[at], want[at], math.Abs(float64(got[at])-want[at]), bound(at, want[at]))
}

// Round rounds values to a type.
func Round(typ gpu.Type, values []float32) []float32 { return typ.Decode(typ.Encode(values)) }

// Normal is n standard normal values, the same for the same seed.
func Normal(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	return values
}

// Uniform is n values in [low, high), the same for the same seed.
func Uniform(seed uint64, n int, low, high float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(low + (high-low)*r.Float64())
	}
	return values
}

// Float64 widens values, as the input of a float64 reference.
func Float64(values []float32) []float64 {
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return wide
}
