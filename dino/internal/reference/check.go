package reference

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// Check runs a subtest, named after the tensor, that compares got with it
// within the manifest's limits.
func (f *File) Check(t *testing.T, name string, got []float32) {
	t.Helper()
	f.CheckChange(t, name, got, nil)
}

// CheckChange is Check for a trained value: where the manifest limits the
// change since initial too, that is compared as well.
func (f *File) CheckChange(t *testing.T, name string, got, initial []float32) {
	t.Helper()
	x := f.Tensor(t, name)
	t.Run(name, func(t *testing.T) {
		t.Helper()
		if len(x.Tol) == 0 {
			t.Fatalf("the manifest has no limit for %q", name)
		}
		want := f.F32(t, name)
		if len(got) != len(want) {
			t.Fatalf("%d values, want %d %v", len(got), len(want), x.Shape)
		}
		if x.freeKeyBias() {
			x.checkKeyBias(t, got, want)
			got, want = withoutMiddle(got), withoutMiddle(want)
			if initial != nil {
				initial = withoutMiddle(initial)
			}
		}
		report(t, "", x.Tol, got, want)
		if initial != nil && len(x.TolOfChange) > 0 {
			report(t, "change ", x.TolOfChange, minus(got, initial), minus(want, initial))
		}
	})
}

// freeKeyBias reports whether the middle third of the tensor, the bias of the
// keys, is free: attention does not depend on it, so its gradient is rounding
// noise and Adam turns that into a random walk.
func (x *Tensor) freeKeyBias() bool {
	return strings.HasSuffix(x.Name, "attn.qkv.bias") && (x.Kind == "grad" || strings.HasPrefix(x.Kind, "trained"))
}

// checkKeyBias checks that the free third of a gradient is noise, and no more.
func (x *Tensor) checkKeyBias(t *testing.T, got, want []float32) {
	t.Helper()
	third := len(got) / 3
	limit := x.Tol["rel_max"] * maxAbs(want)
	if noise := maxAbs(got[third : 2*third]); x.Kind == "grad" && noise > limit {
		t.Errorf("gradient of the key bias is %.2g, should be 0 within %.2g", noise, limit)
	}
}

func withoutMiddle(v []float32) []float32 {
	third := len(v) / 3
	return slices.Concat(v[:third], v[2*third:])
}

func minus(a, b []float32) []float32 {
	d := make([]float32, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// report compares by every measure that limits names and logs the figures.
func report(t *testing.T, what string, limits map[string]float64, got, want []float32) {
	t.Helper()
	var figures []string
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		e, err := Measure(name, got, want)
		if err != nil {
			t.Fatal(err)
		}
		figures = append(figures, fmt.Sprintf("%s%s %.2g (limit %.2g)", what, name, e, limits[name]))
		if !(e <= limits[name]) { // a NaN is no agreement
			t.Errorf("%s%s %.3g exceeds %.3g", what, name, e, limits[name])
		}
	}
	t.Log(strings.Join(figures, ", "))
}

// Measure returns how far got is from want: "rel_l2" = ‖got-want‖/‖want‖,
// "rel_max" = max|got-want| / max|want|, or "abs" = max|got-want|. Of an
// all-zero want the relative measures are the absolute ones.
func Measure(name string, got, want []float32) (float64, error) {
	var diff2, want2, diffMax, wantMax float64
	for i := range want {
		d, w := float64(got[i])-float64(want[i]), float64(want[i])
		diff2 += d * d
		want2 += w * w
		wantMax = math.Max(wantMax, math.Abs(w))
		diffMax = math.Max(diffMax, math.Abs(d)) // NaN if either is
	}
	relative := func(a, b float64) float64 {
		if b == 0 {
			return a
		}
		return a / b
	}
	switch name {
	case "rel_l2":
		return relative(math.Sqrt(diff2), math.Sqrt(want2)), nil
	case "rel_max":
		return relative(diffMax, wantMax), nil
	case "abs", "max_abs":
		return diffMax, nil
	}
	return 0, fmt.Errorf("unknown measure %q", name)
}

func maxAbs(v []float32) float64 {
	m := 0.0
	for _, x := range v {
		m = math.Max(m, math.Abs(float64(x)))
	}
	return m
}
