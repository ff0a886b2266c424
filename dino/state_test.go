package dino

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/safetensors"
	"dino-vk/dino/weights"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// tensors reads all tensors of a checkpoint.
func tensors(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	ck, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	values := map[string][]float32{}
	for _, x := range ck.file.Tensors {
		v := make([]float32, x.Len())
		if err := ck.ReadF32(x.Name, v); err != nil {
			t.Fatal(err)
		}
		values[x.Name] = v
	}
	return values
}

// allFinite fails the test where a checkpoint holds a number that is not finite.
func allFinite(t *testing.T, path string) {
	t.Helper()
	for name, values := range tensors(t, path) {
		if i := nonFinite(gpu.F32Bytes(values)); i >= 0 {
			t.Errorf("%s: element %d is %v", name, i, values[i])
		}
	}
}

// TestNonFinite lets a learning rate blow up the weights.
func TestNonFinite(t *testing.T) {
	for name, set := range map[string]func(c *Config){
		"plain":      func(c *Config) {},
		"accumulate": func(c *Config) { c.BatchSize, c.Accumulate = 1, 4 },
		"resnet":     func(c *Config) { convNet(c); c.BatchSize, c.Accumulate = 2, 2 },
	} {
		t.Run(name, func(t *testing.T) {
			c := runSettings(t)
			c.LR, c.FreezeLastLayer = 1e20, 0
			set(&c)
			o := &observed{}
			err := tryRun(t, context.Background(), c, camera{n: runPictures}, o)
			good := len(o.steps)
			if !errors.Is(err, ErrNonFinite) || !strings.Contains(err.Error(), fmt.Sprintf("step %d: ", good+1)) || good == 0 {
				t.Fatalf("after %d good steps: %v", good, err)
			}
			t.Logf("after %d good steps: %v", good, err)
			allFinite(t, filepath.Join(c.Output, CheckpointName))

			clean := c
			clean.Output, clean.MaxSteps = t.TempDir(), good
			run(t, clean)
			if !bytes.Equal(latest(t, c), latest(t, clean)) {
				t.Error("the checkpoint is not that of the last good step")
			}
			// Going on meets the same step and leaves the same checkpoint.
			before := latest(t, c)
			again := tryRun(t, context.Background(), c, camera{n: runPictures}, &observed{})
			if again == nil || again.Error() != err.Error() || !bytes.Equal(before, latest(t, c)) {
				t.Errorf("again: %v", again)
			}
		})
	}
}

// featuresOf are the features of all pictures, taken in batches.
func featuresOf(t *testing.T, m *Model, batch int) []float32 {
	t.Helper()
	e, err := NewExtractor(gputest.Open(t), m, m.Size, batch, cameraSide*cameraSide)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var all []float32
	_, err = e.Features(context.Background(), camera{n: 7}, 1, func(_ int, feature []float32) error {
		all = append(all, feature...)
		return nil
	})
	if err != nil || len(all) != 7*m.Features() || nonFinite(gpu.F32Bytes(all)) >= 0 {
		t.Fatalf("%d features of %d pictures: %v", len(all), 7, err)
	}
	return all
}

// TestBatchesTracked counts what moved the running statistics: of the student's
// backbone each resolution by itself, of its head all crops together, and of the
// teacher the global crops, once for each micro-batch of a step. In evaluation a
// picture's features do not depend on the batch it is in.
func TestBatchesTracked(t *testing.T) {
	c := runSettings(t)
	convNet(&c)
	c.BatchSize, c.Accumulate, c.MaxSteps = 2, 2, 3
	run(t, c)
	found := 0
	for name, values := range tensors(t, filepath.Join(c.Output, CheckpointName)) {
		if !strings.HasSuffix(name, ".num_batches_tracked") {
			continue
		}
		found++
		want := float32(c.MaxSteps * c.Accumulate)
		if strings.HasPrefix(name, studentPrefix+backbonePrefix) {
			want *= 2
		}
		if len(values) != 1 || values[0] != want {
			t.Errorf("%s is %v, want %v", name, values, want)
		}
	}
	f, err := weights.Open(c.Output)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := OpenModel(f, "teacher", c)
	if err != nil {
		t.Fatal(err)
	}
	alone, whole := featuresOf(t, m, 1), featuresOf(t, m, 5)
	for i, v := range alone {
		if v != whole[i] {
			t.Fatalf("feature %d of a picture is %v, and %v among others", i, v, whole[i])
		}
	}
	if want := 2 * (20 + 2); found != want { // batch norms of ResNet-18 and of the head
		t.Errorf("%d counts, want %d", found, want)
	}
}

// TestStateNotFinite makes the weights overflow in the update itself, which
// only the next loss would tell.
func TestStateNotFinite(t *testing.T) {
	c := runSettings(t)
	c.CheckpointEvery = 1
	tr, err := start(t, c, camera{n: runPictures}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var good []byte
	tr.observer = &observed{onStep: func(r StepReport) {
		if r.Step != 3 {
			return
		}
		good = latest(t, c)
		name := tr.step.params[0].Name
		w := tr.step.student.Tensor(name)
		values := make([]float32, w.Len())
		values[len(values)-1] = float32(math.Inf(-1))
		if err := tr.store.WriteF32(w, values); err != nil {
			t.Error(err)
		}
	}}
	err = errors.Join(tr.Run(context.Background()), tr.Close())
	if !errors.Is(err, ErrNonFinite) || !strings.Contains(err.Error(), "checkpoint of step 3") ||
		!strings.Contains(err.Error(), CheckpointName) || !strings.Contains(err.Error(), tr.step.params[0].Name) {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(good, latest(t, c)) {
		t.Error("the last good checkpoint was replaced")
	}
}

// TestPlantedNaN goes on from a checkpoint whose weights are spoiled.
func TestPlantedNaN(t *testing.T) {
	c := runSettings(t)
	c.MaxSteps = 2
	run(t, c)
	path := filepath.Join(c.Output, CheckpointName)
	ck, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	var entries []safetensors.Entry
	for _, x := range ck.file.Tensors {
		v := make([]float32, x.Len())
		if err := ck.ReadF32(x.Name, v); err != nil {
			t.Fatal(err)
		}
		if x.Name == studentPrefix+backbonePrefix+"norm.weight" {
			v[3] = float32(math.NaN())
		}
		entries = append(entries, safetensors.Values(x.Name, x.Shape, v))
	}
	if err := errors.Join(WriteCheckpoint(c.Output, ck.State, entries, false), ck.Close()); err != nil {
		t.Fatal(err)
	}
	planted := latest(t, c)
	c.MaxSteps = 5
	err = tryRun(t, context.Background(), c, camera{n: runPictures}, &observed{})
	if !errors.Is(err, ErrNonFinite) || !strings.Contains(err.Error(), "step 3: ") {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(planted, latest(t, c)) {
		t.Error("the spoiled checkpoint was written again")
	}
}

func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func difference(a, b []float32) []float32 {
	d := make([]float32, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// trained leaves out the biases of the keys, to which softmax is blind: their
// gradient is rounding alone, and AdamW makes any gradient large.
func trained(name string, v []float32) []float32 {
	if strings.HasSuffix(name, "attn.qkv.bias") {
		return append(slices.Clone(v[:len(v)/3]), v[2*len(v)/3:]...)
	}
	return v
}

// TestAccumulate compares steps in micro-batches with the same steps in one
// batch: sums in another order differ by rounding alone, so the difference must
// vanish beside the way that every tensor has gone. A center or average moved
// once per micro-batch would go another way altogether.
func TestAccumulate(t *testing.T) {
	const batch, steps = 12, 2
	large := runSettings(t)
	large.BatchSize, large.DropPathRate, large.FreezeLastLayer, large.Epochs = batch, 0.3, 0, 4
	large.MomentumTeacher, large.MaxSteps = 0.9, steps
	start0 := large
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	start0.Output = t.TempDir()
	if err := tryRun(t, ctx, start0, camera{n: runPictures}, &observed{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	init := tensors(t, filepath.Join(start0.Output, CheckpointName))
	want := run(t, large)
	whole := tensors(t, filepath.Join(large.Output, CheckpointName))
	for _, n := range []int{2, 3, 12} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := large
			c.BatchSize, c.Accumulate, c.Output = batch/n, n, t.TempDir()
			got := run(t, c)
			if len(got.steps) != steps {
				t.Fatalf("%d steps", len(got.steps))
			}
			for i, r := range got.steps {
				w := want.steps[i]
				for name, pair := range map[string][2]float32{
					"loss": {r.Loss, w.Loss}, "entropy": {r.Entropy, w.Entropy}, "gradient norm": {r.GradNorm, w.GradNorm},
				} {
					if d := math.Abs(float64(pair[0] - pair[1])); !(d <= 64*gputest.Epsilon*math.Abs(float64(pair[1]))) {
						t.Errorf("step %d: %s %v, want %v", i+1, name, pair[0], pair[1])
					}
				}
			}
			worst, at := 0.0, ""
			for name, values := range tensors(t, filepath.Join(c.Output, CheckpointName)) {
				way := norm(trained(name, difference(whole[name], init[name])))
				off := norm(trained(name, difference(values, whole[name])))
				rounding := 4 * gputest.Epsilon * norm(whole[name])
				if !(off <= 1e-4*way+rounding) {
					t.Errorf("%s is off by %.2g, having gone %.2g", name, off, way)
				}
				if way > 0 && off/way > worst {
					worst, at = off/way, name
				}
			}
			t.Logf("furthest off: %s, by %.2g of its way", at, worst)
		})
	}
}

// TestMemoryAnnounced holds the memory that a run announces against what the
// device gave, on a device of its own: to the byte, as all buffers are multiples of
// 256 bytes and drivers round them up to no more than their alignment, 256 at most.
func TestMemoryAnnounced(t *testing.T) {
	gputest.Open(t) // skips without a device
	needs := map[string]int64{}
	for _, run := range []struct {
		accumulate         int
		optimizer          string
		convNet, recompute bool
	}{
		{1, "adamw", false, false}, {3, "adamw", false, false}, {3, "adamw", false, true},
		{1, "sgd", false, false}, {1, "lars", false, false}, {1, "sgd", true, false}, {1, "sgd", true, true},
	} {
		dev, err := gpu.Open(gpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := runSettings(t)
		c.BatchSize, c.Accumulate, c.OutDim, c.Epochs = 6/run.accumulate, run.accumulate, 4096, 1
		c.Recompute = run.recompute
		if c.Optimizer = run.optimizer; run.convNet {
			convNet(&c)
		}
		tr, err := NewTrainer(context.Background(), c, dev, pictureSet(camera{n: runPictures}), &observed{})
		if err != nil {
			t.Fatal(err)
		}
		need := tr.Memory()
		if err := errors.Join(tr.Run(context.Background()), tr.Close()); err != nil {
			t.Fatal(err)
		}
		peak := dev.PeakMemory()
		t.Logf("%+v: announced %d, measured %d bytes", run, need, peak)
		if run.accumulate == 1 && !run.convNet {
			needs[run.optimizer] = need
		}
		if peak != need {
			t.Errorf("announced %d bytes, measured %d", need, peak)
		}
		if left := dev.MemoryInUse() - gpu.StagingBytes; left != 0 {
			t.Errorf("%d bytes are still taken", left)
		}
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		for _, m := range dev.ValidationMessages() {
			t.Errorf("validation: %s", m)
		}
	}
	second := int64(4 * 4096 * 16) // bytes of the last layer's second moment alone
	for _, optimizer := range []string{"sgd", "lars"} {
		if saved := needs["adamw"] - needs[optimizer]; saved < second {
			t.Errorf("%s needs only %d bytes less than adamw", optimizer, saved)
		}
	}
}

// TestTooLarge refuses what does not fit and names the batch size that does.
func TestTooLarge(t *testing.T) {
	dev := gputest.Open(t)
	c := runSettings(t)
	c.Accumulate = 2
	trainer := func(batch int) *Trainer {
		tr := &Trainer{config: c, dev: dev, set: pictureSet(camera{n: 100})}
		var err error
		if tr.measured, err = openProbeSets(context.Background(), c, tr.set); err != nil {
			t.Fatal(err)
		}
		tr.config.BatchSize = batch
		return tr
	}
	need := func(batch int) int64 {
		tr := trainer(batch)
		tr.config.Recompute = c.Recompute
		if err := tr.require(); err != nil {
			t.Fatal(err)
		}
		return tr.need
	}
	for _, fits := range []int{0, 1, 7, 8, 20, 39} {
		have := need(max(fits, 1))
		if fits == 0 {
			have--
		}
		err := trainer(40).fit(have)
		if !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%d bytes: %v", have, err)
		}
		want := []string{gpu.FormatBytes(need(40)), gpu.FormatBytes(have), fmt.Sprintf("--batch-size %d would fit; with --accumulate %d ", fits, 80/max(fits, 1))}
		if fits == 0 {
			want[2] = "no batch size fits: use a smaller --arch"
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("no %q in %q", w, err)
			}
		}
		if fits > 0 && need(fits+1) <= have {
			t.Errorf("a batch of %d would have fitted %d bytes too", fits+1, have)
		}
		var again int // with --recompute
		_, after, _ := strings.Cut(err.Error(), "with --recompute, which takes longer, --batch-size ")
		fmt.Sscan(after, &again)
		c.Recompute = true
		if again > 0 && need(again) > have || again < 40 && need(again+1) <= have {
			t.Errorf("%d bytes: with --recompute a batch of %d in %q", have, again, err)
		}
		c.Recompute = false
	}
	if err := trainer(40).fit(need(40)); err != nil {
		t.Error(err)
	}
	// A limit of the device that some tensor exceeds counts as well.
	batch := int(dev.Caps().MaxBinding/int64(2*4*3*c.ImageSize*c.ImageSize)) + 1
	err := trainer(batch).fit(math.MaxInt64)
	var low int
	if err == nil || !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "the device binds at most") {
		t.Skipf("a batch of %d: %v", batch, err)
	}
	_, after, _ := strings.Cut(err.Error(), "--batch-size ")
	if _, err := fmt.Sscanf(after, "%d would fit", &low); err != nil {
		t.Fatalf("%q: %v", after, err)
	}
	if err := trainer(low).fit(math.MaxInt64); err != nil {
		t.Error(err)
	}
	if err := trainer(low + 1).fit(math.MaxInt64); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a batch of %d would have fitted too: %v", low+1, err)
	}
}

// TestSubmits counts what a step costs the host: one submit for a micro-batch,
// and before it one wait, for the run before last, whose memory it takes over.
func TestSubmits(t *testing.T) {
	dev := gputest.Open(t)
	for _, accumulate := range []int{1, 2, 5} {
		count := func(steps int) (submits, waits int64) {
			c := runSettings(t)
			c.BatchSize, c.Accumulate, c.MaxSteps = 1, accumulate, steps
			submits, waits = -dev.Submits(), -dev.Waits()
			run(t, c)
			return submits + dev.Submits(), waits + dev.Waits()
		}
		const more = 2 // steps, with the same checkpoints around them
		few, fewWaits := count(gpu.Slots)
		many, manyWaits := count(gpu.Slots + more)
		if got, want := many-few, int64(more*accumulate); got != want {
			t.Errorf("accumulate %d: %d submits for %d steps, want %d", accumulate, got, more, want)
		}
		if got, most := manyWaits-fewWaits, int64(more*accumulate); got > most {
			t.Errorf("accumulate %d: %d waits for %d steps, want at most %d", accumulate, got, more, most)
		}
	}
}
