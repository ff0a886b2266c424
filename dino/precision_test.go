package dino

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

func TestPrecise(t *testing.T) {
	product := func(operands gpu.Component) gpu.MatrixProduct {
		return gpu.MatrixProduct{M: 16, N: 16, K: 16, Operands: operands, Sums: gpu.ComponentF32}
	}
	both := gpu.Caps{Features: gpu.SharedMemory | gpu.BFloat16, Products: []gpu.MatrixProduct{product(gpu.ComponentF16), product(gpu.ComponentBF16)}}
	half := gpu.Caps{Features: gpu.SharedMemory, Products: both.Products}
	cpu := gpu.Caps{Features: gpu.BFloat16, Products: both.Products}
	for _, c := range []struct {
		name   string
		caps   gpu.Caps
		change func(c *Config)
		want   string
	}{
		{"both", both, func(c *Config) {}, BF16},
		{"without bfloat16", half, func(c *Config) {}, FP16},
		{"without matrix units", gpu.Caps{Features: gpu.SharedMemory | gpu.BFloat16}, func(c *Config) {}, FP32},
		{"a processor", cpu, func(c *Config) {}, FP32},
		{"a processor, as asked", cpu, func(c *Config) { c.Precision = BF16 }, BF16},
		{"as asked", both, func(c *Config) { c.Precision = FP32 }, FP32},
		{"the reference's flag", both, func(c *Config) { c.UseFP16 = true }, FP16},
		{"ResNet", both, func(c *Config) { c.Arch = "resnet50" }, FP32},
		{"odd width", both, func(c *Config) { c.OutDim = 1001 }, FP32},
	} {
		config := DefaultConfig()
		c.change(&config)
		got := config.Precise(c.caps)
		if got.Precision != c.want || got.UseFP16 {
			t.Errorf("%s: %s", c.name, got.Precision)
		}
		if again := got.Precise(c.caps); again != got {
			t.Errorf("%s: then %s", c.name, again.Precision)
		}
	}
}

// scaled is a run in a precision, whose loss scale, if it has one, begins at scale.
func scaled(t *testing.T, precision string, scale float32) (*observed, Config) {
	t.Helper()
	c, o := runSettings(t), &observed{}
	c.Precision = precision
	tr, err := start(t, c, camera{n: runPictures}, o)
	if err != nil {
		t.Fatal(err)
	}
	if tr.step.scaler != nil {
		if err := tr.step.store.WriteF32(tr.step.scaler, []float32{scale, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tr.Run(t.Context()), tr.Close()); err != nil {
		t.Fatal(err)
	}
	return o, c
}

// A run in 16 bits follows the one in float32. Between a picture and its logits
// about ten results are rounded one after another, by half of the type's epsilon
// at most, and the student's temperature of 0.1 makes ten times as much of that:
// fifty epsilons, if all errors were the largest and of one sign, of which a
// random sum makes a third, ten steps later too.
func TestPrecisionFollows(t *testing.T) {
	want, _ := scaled(t, FP32, 1)
	for precision, epsilon := range map[string]float64{FP16: 0x1p-10, BF16: 0x1p-7} {
		got, _ := scaled(t, precision, 32)
		for i, s := range got.steps {
			if w := float64(want.steps[i].Loss); math.Abs(float64(s.Loss)-w) > 50./3*epsilon || s.Skipped != 0 {
				t.Errorf("%s: loss of step %d is %.5f after %d skipped, of float32 %.5f", precision, i+1, s.Loss, s.Skipped, w)
			}
		}
	}
}

// While every gradient overflows, no update is made; the teacher stays what the
// student is, and the run does not fail.
func TestOverflowSkips(t *testing.T) {
	o, c := scaled(t, FP16, 0x1p100)
	for i, s := range o.steps {
		if s.Status != 0 || s.Skipped != uint32(i+1) || s.LossScale != float32(math.Ldexp(1, 99-i)) {
			t.Errorf("step %d: %+v", i+1, s.Metrics)
		}
	}
	ck, err := OpenCheckpoint(filepath.Join(c.Output, CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	net, err := NewNetwork(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() {
		for _, network := range []string{studentPrefix, teacherPrefix} {
			values := make([]float32, p.Len())
			if err := ck.ReadF32(network+p.Name, values); err != nil {
				t.Fatal(err)
			}
			for i, first := range p.Values(c.Seed) {
				// The average m t + (1-m) t rounds three times a step.
				if e := math.Abs(float64(values[i] - first)); e > 3*10*gputest.Epsilon*math.Abs(float64(first)) || network == studentPrefix && e != 0 {
					t.Fatalf("%s%s: element %d is %g, began as %g", network, p.Name, i, values[i], first)
				}
			}
		}
	}
}

// A run in half precision leaves through the reference's checkpoint with its loss
// scale and its counts of updates, and comes back with them.
func TestExportScale(t *testing.T) {
	o, c := scaled(t, FP16, 0x1p40)
	last := o.steps[len(o.steps)-1]
	f := openWeights(t, exportedRun(t, filepath.Join(c.Output, CheckpointName)))
	scale, good, ok := f.Training.LossScale()
	if !ok || float32(scale) != last.LossScale || good != 0 || last.Skipped != 10 {
		t.Errorf("scale %g, %d good, %v; the run's %+v", scale, good, ok, last.Metrics)
	}
	if n, err := f.Training.Steps("backbone.cls_token"); n != 0 || err != nil {
		t.Errorf("%d updates, %v", n, err)
	}
	back, err := ConfigOf(f, "student", c.Heads)
	if err != nil || back.Precision != FP16 {
		t.Fatalf("precision %s, %v", back.Precision, err)
	}
	back.LocalSize, back.ImageSize, back.Output, back.Epochs = c.LocalSize, c.ImageSize, t.TempDir(), 3
	if _, err := Import(f, back, pictureSet(camera{n: runPictures})); err != nil {
		t.Fatal(err)
	}
	for i, s := range run(t, back).steps {
		if s.Skipped == 0 || s.LossScale != float32(math.Ldexp(scale, -i-1)) {
			t.Errorf("step %d after the import: %+v", i, s.Metrics)
		}
	}
}
