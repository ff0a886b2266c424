package op

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// Gradients that overflow leave the weights alone and move the averages; the
// scale halves; all else goes on as if the updates that were skipped had not been
// due. Copies are what they copy, rounded.
func TestScaledOptimizer(t *testing.T) {
	for _, rule := range Rules {
		t.Run(string(rule), func(t *testing.T) { testScaledOptimizer(t, rule) })
	}
}

func testScaledOptimizer(t *testing.T, rule Rule) {
	const steps, clip = 7, 3
	bad := []int{0, 3, 4} // the first while the last layer is frozen
	r := newOptimRig(t, rule, gpu.F16, optimParams, 64<<10)
	scale := 1024.0
	r.must(r.store.WriteF32(r.scaler, []float32{float32(scale), 0, 0, 0}))
	want := map[string]optimState{}
	for i, p := range optimParams {
		w := gputest.Normal(uint64(i), p.Len())
		r.must(r.store.WriteF32(r.roles.Weight.Tensor(p.Name), w))
		r.must(r.store.WriteF32(r.roles.Teacher.Tensor(p.Name), w))
		want[p.Name] = newOptimState(w, w)
	}
	made, madeLast := 0, 0
	for step := range steps {
		settings := optimStep(step, clip)
		skip := slices.Contains(bad, step)
		for i, p := range optimParams {
			g := gputest.Normal(uint64(1000*step+i), p.Len())
			scaled := make([]float32, len(g))
			for j := range g {
				scaled[j] = g[j] * float32(scale) // a power of two: exact
			}
			if skip && p.Name == "wide" {
				scaled[7] = float32(math.Inf(1))
			}
			r.must(r.store.WriteF32(r.roles.Gradient.Tensor(p.Name), scaled))
			x, flags, exact := want[p.Name], optimFlags(p), settings
			exact.Bias1, exact.Bias2 = biasAfter(0.9, made+1), biasAfter(0.999, made+1)
			exact.Bias1Last, exact.Bias2Last = biasAfter(0.9, madeLast+1), biasAfter(0.999, madeLast+1)
			if g64 := gputest.Float64(g); flags&Frozen == 0 && !skip && (flags&LastLayer == 0 || settings.FreezeLast == 0) {
				ref.Clip(g64, clip)
				x.step(rule, flags, exact, clip, ofComplement, g64)
			}
			x.average()
		}
		if skip {
			scale /= 2
		} else {
			made++
			madeLast += int(1 - settings.FreezeLast)
		}
		if got := r.step(settings); got.Status != 0 || float64(got.LossScale) != scale || got.Skipped != uint32(step+1-made) {
			t.Fatalf("step %d: %+v, want a scale of %g", step, got, scale)
		}
	}
	r.compare(want)
	for of, pair := range map[string][2]*Bank{"weight": {r.roles.Weight, r.roles.WeightCopy}, "teacher": {r.roles.Teacher, r.roles.TeacherCopy}} {
		for i, bank := range pair[1].Banks() {
			bytes := make([]byte, bank.Bytes())
			r.must(r.store.Read(bank, bytes))
			if !slices.Equal(bytes, gpu.F16.Encode(r.floats(pair[0].Banks()[i]))) {
				t.Errorf("bank %d of the %ss' copy differs from them", i, of)
			}
		}
	}
}

// biasAfter is 1 - beta^t.
func biasAfter(beta float64, t int) float32 { return float32(1 - math.Pow(beta, float64(t))) }

// The scale doubles after 2000 good updates in a row, unless it would overflow; a
// bad one in between begins the count anew.
func TestScaleGrows(t *testing.T) {
	for _, c := range []struct {
		before Scaler
		bad    bool
		after  Scaler
	}{
		{Scaler{65536, 1998, 2, 1}, false, Scaler{65536, 1999, 2, 1}},
		{Scaler{65536, 1999, 2, 1}, false, Scaler{131072, 0, 2, 1}},
		{Scaler{65536, 1999, 2, 1}, true, Scaler{32768, 0, 3, 2}},
		{Scaler{0x1p127, 1999, 0, 0}, false, Scaler{0x1p127, 0, 0, 0}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			r := newOptimRig(t, AdamW, gpu.F16, optimParams, 1<<20)
			r.must(r.store.WriteF32(r.scaler, []float32{c.before.Scale, c.before.Good, c.before.Skipped, c.before.SkippedLast}))
			if c.bad {
				r.spoil("bias", 3, math.NaN())
			}
			r.step(optimStep(1<<20, 3))
			if got := r.floats(r.scaler); !slices.Equal(got, []float32{c.after.Scale, c.after.Good, c.after.Skipped, c.after.SkippedLast}) {
				t.Errorf("%v, want %+v", got, c.after)
			}
		})
	}
}
