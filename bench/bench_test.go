package bench

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

func TestMain(m *testing.M) { gputest.Main(m) }

// once measures as little as possible.
var once = Effort{Least: 1, Most: 1}

// TestClock checks that the device's clock and the host's agree: the device
// can't have been at work for longer than the host waited.
func TestClock(t *testing.T) {
	dev, ctx := gputest.Open(t), context.Background()
	store, g := gpu.NewStore(), gpu.NewGraph(dev.Caps())
	x, y := store.New("x", gpu.F32, 1<<20), store.New("y", gpu.F32, 1<<20)
	for range 20 {
		g.Copy(y, x)
		g.Copy(x, y)
	}
	if err := store.Allocate(dev); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p, _, err := timeGraph(ctx, dev, g)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	begun := time.Now()
	list, err := p.run(ctx)
	wall := time.Since(begun)
	if err != nil {
		t.Fatal(err)
	}
	busy := list[0].Duration
	t.Logf("host %v, device %v", wall, busy)
	if len(list) != 1 || list[0].Count != 40 || busy <= 0 {
		t.Errorf("%+v", list)
	}
	// A thousandth for the two clocks' drift, and the device's least tick.
	if limit := wall + wall/1000 + time.Microsecond; busy > limit {
		t.Errorf("the device was busy for %v while the host waited %v", busy, wall)
	}
}

func TestPeaks(t *testing.T) {
	p, err := MeasurePeaks(context.Background(), gputest.Open(t), once)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p.String())
	for _, rate := range []float64{p.GFLOPs, p.GBs, p.CopyShader, p.CopyBuffer} {
		if !(rate > 0) || math.IsInf(rate, 0) {
			t.Errorf("%+v", p)
		}
	}
	if p.GBs != max(p.CopyShader, p.CopyBuffer) {
		t.Errorf("%+v", p)
	}
}

// TestMatrixProducts runs the shader on devices that have such products, CPUs
// too.
func TestMatrixProducts(t *testing.T) {
	dev := gputest.Open(t)
	for _, operands := range []gpu.Component{gpu.ComponentF16, gpu.ComponentBF16} {
		rate, err := matrixProducts(context.Background(), dev, once, 2, operands)
		if err != nil {
			t.Errorf("%v: %v", operands, err)
		}
		t.Logf("%v: %.4g GFLOP/s", operands, rate)
		has := slices.ContainsFunc(dev.Caps().Products, func(p gpu.MatrixProduct) bool { return p.Operands == operands && p.Sums == gpu.ComponentF32 })
		if has != (rate > 0) || math.IsInf(rate, 0) {
			t.Errorf("%v: %g GFLOP/s of %v", operands, rate, dev.Caps().Products)
		}
	}
}

// tinyResNet has bottlenecks and everything else that a ResNet-50 has.
func tinyResNet() Recipe { return Recipe{"resnet", convNet(tiny().Config, "resnet50", "imagenet")} }

// TestKernels measures every operation at sizes that take no time, and checks
// that the kernels of a whole training step are among those timed.
func TestKernels(t *testing.T) {
	dev, ctx := gputest.Open(t), context.Background()
	for _, c := range []struct {
		Recipe
		peak  float64 // which decides the batch
		batch int
	}{{tiny(), 1e-9, 1}, {tinyResNet(), 1e9, 64}} {
		r, timed := c.Recipe, map[string]bool{}
		list, err := MeasureKernels(ctx, dev, r, Peaks{GFLOPs: c.peak, GBs: c.peak}, time.Second, once, func(k Kernel) {
			if !(k.Milliseconds.Median > 0) || !(k.GBs > 0) || len(k.Parts) == 0 {
				t.Errorf("%+v", k)
			}
			for _, p := range k.Parts {
				timed[p.Kernel] = true
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if list[0].Batch != c.batch || list[0].Recipe != r.Name || list[0].Type != "float32" {
			t.Errorf("%+v", list[0])
		}
		for _, kernel := range stepKernels(t, dev, r.Config) {
			if !timed[kernel] {
				t.Errorf("%s: %s runs in a training step and is not timed", r.Name, kernel)
			}
		}
	}
}

// TestVariants checks that every variant of an operation's kernels is timed, one
// of each pass as training takes it.
func TestVariants(t *testing.T) {
	dev, ctx := gputest.Open(t), context.Background()
	s := sizesOf(tiny().Config)
	for _, o := range []operation{s.linear("linear", 1, 8, 16, 24, withGELU), s.layerNorm("layer norm", 1, 4), s.cls()} {
		list, err := o.variants(ctx, dev, gpu.F32, once)
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := o.passes(dev, gpu.F32)
		if err != nil {
			t.Fatal(err)
		}
		count, picked := map[string]int{}, map[string]int{}
		for _, v := range list {
			t.Log(v.Line(nil))
			count[v.Pass]++
			if v.Picked {
				picked[v.Pass]++
			}
			if !(v.Milliseconds.Median > 0) || len(v.Variants) == 0 {
				t.Errorf("%+v", v)
			}
		}
		for _, pass := range []string{"forward", "backward"} {
			most, some := tasks.most(pass), 0
			if most > 0 {
				some = 1
			}
			if count[pass] != most || picked[pass] != some {
				t.Errorf("%s, %s: %d variants measured, %d of them picked; there are %d", o.name, pass, count[pass], picked[pass], most)
			}
		}
		if o.name == "linear" && (count["forward"] < 2 || count["backward"] < 2) {
			t.Errorf("%d and %d variants of a product", count["forward"], count["backward"])
		}
	}
}

// stepKernels are the kernels of a training step with all that training has.
func stepKernels(t *testing.T, dev *gpu.Device, c dino.Config) []string {
	t.Helper()
	c.DropPathRate = 0.1
	if c.Precise(dev.Caps()).Precision == dino.FP16 {
		c.Precision = dino.BF16 // which has no loss scale to prepare
	}
	store := gpu.NewStore()
	step, pictures, table, err := wholeStep(c, dev.Caps(), store)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Allocate(dev); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var words []byte
	for i := range c.BatchSize {
		for _, v := range []int{4 * i * pictures.Dim(1), c.ImageSize, c.ImageSize, i} {
			words = binary.LittleEndian.AppendUint32(words, uint32(v))
		}
	}
	if err := store.Write(table, words); err != nil {
		t.Fatal(err)
	}
	programs, err := gpu.CompileTraced(dev, step.Graphs()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := step.Start(programs); err != nil {
		t.Fatal(err)
	}
	defer step.Close()
	slot, err := step.Acquire(context.Background(), 0)
	if err == nil {
		err = step.SetParams(slot, dino.NewSchedule(c, longEpoch).Params(0))
	}
	if err == nil {
		err = step.Submit(0, slot)
	}
	if err == nil {
		err = step.Wait(context.Background(), 0, slot)
	}
	if err != nil {
		t.Fatal(err)
	}
	timings, err := step.Timings(0, slot)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range timings {
		if one.Kernel != "copy" && one.Kernel != "fill" {
			names = append(names, one.Kernel)
		}
	}
	return names
}

func TestMeasureSteps(t *testing.T) {
	s, err := MeasureSteps(context.Background(), gputest.Open(t), tiny(), Effort{Least: 4, Most: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s)
	if s.Count != 4 || s.Batch != 2 || !(s.ImagesPerSecond > 0) || !(s.GFLOPs > 0) || s.Recipe != "tiny" {
		t.Errorf("%+v", s)
	}
	// Logits are cosines over a temperature, so none is above another by more.
	c := tiny().Config
	if most := math.Log(float64(c.OutDim)) + 2/c.StudentTemp; !(s.Loss > 0 && float64(s.Loss) <= most) {
		t.Errorf("loss %v, must be above 0 and at most %.3f", s.Loss, most)
	}
}
