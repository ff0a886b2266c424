package dino

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/data"
	"dino-vk/gpu/gputest"
)

// camera is a source of labelled pictures of random pixels, of which some can't
// be read.
type camera struct {
	n      int
	prefix string
	broken map[int]bool
	jpeg   string // decoder
}

const cameraSide = 20

func (s camera) Len() int          { return s.n }
func (s camera) Name(i int) string { return fmt.Sprintf("%s%d.png", s.prefix, i) }
func (s camera) Label(i int) int   { return i % 2 }
func (s camera) Classes() []string { return []string{"even", "odd"} }
func (s camera) Close() error      { return nil }

func (s camera) Decode(ctx context.Context, i int) (data.Image, error) {
	if s.broken[i] {
		return data.Image{}, fmt.Errorf("%s: damaged", s.Name(i))
	}
	r := rand.New(rand.NewPCG(uint64(i), 0))
	m := data.Image{W: cameraSide - i%3, H: cameraSide}
	m.Pix = make([]uint8, 3*m.W*m.H)
	for k := range m.Pix {
		m.Pix[k] = uint8(r.Uint32())
	}
	return m, ctx.Err()
}

func pictureSet(s camera) *data.Set {
	return &data.Set{Source: s, Area: cameraSide * cameraSide, JPEG: s.jpeg}
}

// runSettings are a run of two epochs of five steps that takes a moment.
func runSettings(t *testing.T) Config {
	c := DefaultConfig()
	c.Precision = FP32
	c.Dim, c.Depth, c.Heads, c.PatchSize, c.DropPathRate = 16, 2, 2, 8, 0
	c.ImageSize, c.LocalSize, c.LocalCropsNumber = 16, 8, 2
	c.OutDim, c.HeadHiddenDim, c.HeadBottleneckDim = 32, 24, 16
	c.BatchSize, c.Epochs, c.WarmupEpochs, c.LR = 4, 2, 0, 0.05
	c.Data, c.Output, c.SaveCkpFreq, c.KNNEvery = "camera", t.TempDir(), 1, 1
	return c
}

// convNet makes the run one of a ResNet, with batch norm in the head too.
func convNet(c *Config) {
	d := DefaultConfig()
	c.Dim, c.Depth, c.Heads, c.PatchSize = d.Dim, d.Depth, d.Heads, d.PatchSize
	c.Arch, c.Width, c.Stem, c.UseBNInHead = "resnet18", 4, "cifar", true
}

const runPictures = 22 // five steps of four, and two over

// observed keeps what a run tells, and calls onStep.
type observed struct {
	steps   []StepReport
	entries []LogEntry
	skipped []error
	measure []int // pictures
	onStep  func(StepReport)
}

func (o *observed) Step(r StepReport) {
	o.steps = append(o.steps, r)
	if o.onStep != nil {
		o.onStep(r)
	}
}
func (o *observed) Epoch(e LogEntry, _ string) { o.entries = append(o.entries, e) }
func (o *observed) Skipped(err error)          { o.skipped = append(o.skipped, err) }
func (o *observed) Measuring(n int)            { o.measure = append(o.measure, n) }

// start prepares a run on the shared device.
func start(t *testing.T, c Config, s camera, o *observed) (*Trainer, error) {
	t.Helper()
	return NewTrainer(context.Background(), c, gputest.Open(t), pictureSet(s), o)
}

// tryRun carries out a run until its end or until ctx is done.
func tryRun(t *testing.T, ctx context.Context, c Config, s camera, o *observed) error {
	t.Helper()
	tr, err := start(t, c, s, o)
	if err != nil {
		return err
	}
	err = tr.Run(ctx)
	return errors.Join(err, tr.Close())
}

// run carries out a run on the usual pictures, which must succeed.
func run(t *testing.T, c Config) *observed {
	t.Helper()
	o := &observed{}
	if err := tryRun(t, context.Background(), c, camera{n: runPictures}, o); err != nil {
		t.Fatal(err)
	}
	return o
}

// latest is the checkpoint that a run left.
func latest(t *testing.T, c Config) []byte {
	t.Helper()
	return read(t, filepath.Join(c.Output, CheckpointName))
}

// logLines are the log's lines without what is measured by the clock.
func logLines(t *testing.T, dir string) string {
	t.Helper()
	var lines strings.Builder
	for line := range strings.Lines(string(read(t, filepath.Join(dir, LogName)))) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		delete(e, "images_per_s")
		delete(e, "memory")
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(out, '\n'))
	}
	return lines.String()
}

// sameRun fails the test unless both folders hold the same files, equal byte
// by byte but for the paths in the configuration and the clock in the log.
func sameRun(t *testing.T, want, got string) {
	t.Helper()
	a, b := names(t, want), names(t, got)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("files %v, want %v", b, a)
		return
	}
	for _, name := range a {
		if strings.HasSuffix(name, ".safetensors") && !bytes.Equal(read(t, filepath.Join(want, name)), read(t, filepath.Join(got, name))) {
			t.Errorf("%s differs", name)
		}
	}
	if a, b := logLines(t, want), logLines(t, got); a != b {
		t.Errorf("log\n%swant\n%s", b, a)
	}
}

func TestEqualRuns(t *testing.T) {
	first := runSettings(t)
	o := run(t, first)
	if len(o.steps) != 10 || len(o.entries) != 2 || strings.Count(logLines(t, first.Output), "\n") != 2 {
		t.Fatalf("%d steps and %d epochs, want 10 and 2", len(o.steps), len(o.entries))
	}
	if want := []int{runPictures, runPictures}; !slices.Equal(o.measure, want) {
		t.Errorf("measurements of %d pictures were told, want %d", o.measure, want)
	}
	for _, e := range o.entries {
		if e.KNN == nil || !(*e.KNN >= 0 && *e.KNN <= 100) {
			t.Errorf("epoch %d: k-NN %v", e.Epoch, e.KNN)
		}
	}
	for i, r := range o.steps {
		if r.Step != i+1 || !(r.Loss > 0) || !(r.GradNorm > 0) || !(r.ImagesPerSecond > 0) {
			t.Errorf("step %d: %+v", i+1, r)
		}
	}
	second := first
	second.Output, second.Trace = t.TempDir(), filepath.Join(t.TempDir(), "trace")
	second.NumWorkers, second.CheckpointEvery = 3, 2
	run(t, second)
	sameRun(t, first.Output, second.Output)
	seed := first
	seed.Output, seed.Seed = t.TempDir(), 1
	if run(t, seed).steps[9].Loss == o.steps[9].Loss {
		t.Error("another seed gave the same loss")
	}
}

func TestResumeExactly(t *testing.T) {
	for name, set := range map[string]func(c *Config){
		"plain":      func(c *Config) {},
		"accumulate": func(c *Config) { c.BatchSize, c.Accumulate = 1, 4 },
		"droppath":   func(c *Config) { c.DropPathRate = 0.5 },
		"free":       func(c *Config) { c.NormLastLayer, c.FreezeLastLayer = false, 0 },
		"sgd":        func(c *Config) { c.Optimizer, c.NormLastLayer = "sgd", false },
		"lars":       func(c *Config) { c.Optimizer, c.LR = "lars", 5 },
		"fp16":       func(c *Config) { c.UseFP16, c.Precision = true, AutoPrecision }, // begins with updates that are skipped
		"bf16":       func(c *Config) { c.Precision, c.DropPathRate = BF16, 0.5 },
		"resnet":     func(c *Config) { convNet(c); c.BatchSize, c.Accumulate = 2, 2 },
	} {
		t.Run(name, func(t *testing.T) {
			whole := runSettings(t)
			set(&whole)
			run(t, whole)
			parts := whole
			parts.Output = t.TempDir()
			for _, stop := range []int{1, 3, 5, 9, 9, 0} {
				parts.MaxSteps = stop
				run(t, parts)
			}
			sameRun(t, whole.Output, parts.Output)
		})
	}
}

// TestInterrupt ends runs through their context, at every step, and goes on.
func TestInterrupt(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		t.Run(fmt.Sprintf("accumulate%d", accumulate), func(t *testing.T) {
			whole := runSettings(t)
			whole.BatchSize, whole.Accumulate = 4/accumulate, accumulate
			run(t, whole)
			parts := whole
			parts.Output = t.TempDir()
			ends := 0
			for {
				ctx, cancel := context.WithCancel(context.Background())
				if ends == 0 {
					cancel() // before the first step
				}
				err := tryRun(t, ctx, parts, camera{n: runPictures}, &observed{onStep: func(StepReport) { cancel() }})
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if ends++; ends > 20 {
					t.Fatal("the run does not get on")
				}
			}
			if ends < 3 {
				t.Errorf("only %d interruptions", ends)
			}
			sameRun(t, whole.Output, parts.Output)
		})
	}
}

// TestInterruptedMeasurement goes on with a run that was stopped at the end of
// an epoch before its line was in the log.
func TestInterruptedMeasurement(t *testing.T) {
	whole := runSettings(t)
	run(t, whole)
	for _, end := range []int{5, 10} {
		parts := whole
		parts.Output, parts.MaxSteps = t.TempDir(), end
		var tr *Trainer
		var err error
		o := &observed{onStep: func(r StepReport) {
			if r.Step == end {
				tr.output.log.step = end // as if the line were there
			}
		}}
		tr, err = start(t, parts, camera{n: runPictures}, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tr.Run(context.Background()), tr.Close()); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(logLines(t, parts.Output), "\n"); lines != end/5-1 {
			t.Fatalf("stopped at step %d the log has %d lines", end, lines)
		}
		parts.MaxSteps = 0
		run(t, parts)
		sameRun(t, whole.Output, parts.Output)
	}
}

// TestOtherDecoder: a run does not go on with pixels of another JPEG decoder
// unnoticed.
func TestOtherDecoder(t *testing.T) {
	for _, test := range []struct {
		old, now string
		refused  bool
	}{
		{data.JPEGTurbo, data.JPEGTurbo, false}, {data.JPEGTurbo, data.JPEGGo, true}, {data.JPEGGo, data.JPEGTurbo, true},
		{"", "", false}, {"", data.JPEGGo, false}, {"", data.JPEGTurbo, true},
	} {
		c := runSettings(t)
		c.MaxSteps, c.KNNEvery = 1, 0
		if err := tryRun(t, t.Context(), c, camera{n: runPictures, jpeg: test.old}, &observed{}); err != nil {
			t.Fatal(err)
		}
		before := latest(t, c)
		c.MaxSteps = 2
		err := tryRun(t, t.Context(), c, camera{n: runPictures, jpeg: test.now}, &observed{})
		if !test.refused {
			if err != nil {
				t.Errorf("%q, then %q: %v", test.old, test.now, err)
			}
			continue
		}
		if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "go on with --jpeg "+cmp.Or(test.old, data.JPEGGo)) {
			t.Errorf("%q, then %q: %v", test.old, test.now, err)
		}
		if !bytes.Equal(before, latest(t, c)) {
			t.Errorf("%q, then %q: the refused run changed the checkpoint", test.old, test.now)
		}
	}
}

func TestRefusedRuns(t *testing.T) {
	c := runSettings(t)
	c.MaxSteps = 2
	run(t, c)
	before := latest(t, c)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	all := map[int]bool{}
	for i := range runPictures {
		all[i] = true
	}
	for name, test := range map[string]struct {
		set  func(c *Config)
		data camera
		want []string
		is   error
	}{
		"settings": {func(c *Config) { c.LR, c.OutDim, c.NumWorkers = 0.1, 64, 2 }, camera{n: runPictures},
			[]string{c.Output, "--out-dim 64 (was 32), --lr 0.1 (was 0.05)"}, ErrOtherRun},
		"more pictures":  {func(c *Config) {}, camera{n: runPictures + 1}, []string{c.Output, "22 pictures", "camera", "23"}, ErrOtherRun},
		"other pictures": {func(c *Config) {}, camera{n: runPictures, prefix: "x"}, []string{c.Output, "camera"}, ErrOtherRun},
		"few pictures":   {func(c *Config) { c.Output = t.TempDir() }, camera{n: 3}, []string{"3 pictures give no batch of 4"}, nil},
		"no picture": {func(c *Config) { c.Output = t.TempDir() }, camera{n: runPictures, broken: all},
			[]string{"all 22 failed", "0.png: damaged"}, data.ErrNoImages},
		"output":  {func(c *Config) { c.Output = filepath.Join(file, "out") }, camera{n: runPictures}, []string{file, "not a directory"}, nil},
		"setting": {func(c *Config) { c.BatchSize = 0 }, camera{n: runPictures}, []string{"--batch-size 0"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			c.MaxSteps = 4
			test.set(&c)
			err := tryRun(t, context.Background(), c, test.data, &observed{})
			if err == nil || test.is != nil && !errors.Is(err, test.is) {
				t.Fatalf("got %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %q", want, err)
				}
			}
		})
	}
	if !bytes.Equal(before, latest(t, c)) {
		t.Error("a refused run changed the checkpoint")
	}
}

func TestFolderInUse(t *testing.T) {
	c := runSettings(t)
	tr, err := start(t, c, camera{n: runPictures}, &observed{})
	if err != nil {
		t.Fatal(err)
	}
	err = tryRun(t, context.Background(), c, camera{n: runPictures}, &observed{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), c.Output) {
		t.Errorf("got %v", err)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	c.MaxSteps = 1
	run(t, c)
}

// TestSkippedPictures names every picture that can't be read once, counts them,
// and puts others in their place whatever the workers do.
func TestSkippedPictures(t *testing.T) {
	broken := camera{n: runPictures, broken: map[int]bool{3: true, 4: true, 9: true}}
	c := runSettings(t)
	o := &observed{}
	if err := tryRun(t, context.Background(), c, broken, o); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, err := range o.skipped {
		seen[err.Error()]++
	}
	if len(seen) != len(o.skipped) || len(seen) != 3 || seen["9.png: damaged"] != 1 {
		t.Errorf("skipped %v", o.skipped)
	}
	if e := o.entries[len(o.entries)-1]; e.Skipped != 3 {
		t.Errorf("the log counts %d", e.Skipped)
	}
	again := c
	again.Output, again.NumWorkers = t.TempDir(), 1
	for _, stop := range []int{2, 0} {
		again.MaxSteps = stop
		if err := tryRun(t, context.Background(), again, broken, &observed{}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(latest(t, c), latest(t, again)) {
		t.Error("the checkpoint depends on when pictures failed")
	}
}

// TestDataLost takes the pictures away in the middle of a run.
func TestDataLost(t *testing.T) {
	lost := camera{n: runPictures, broken: map[int]bool{}}
	tr, err := start(t, runSettings(t), lost, &observed{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range runPictures {
		lost.broken[i] = true
	}
	err = errors.Join(tr.Run(context.Background()), tr.Close())
	if !errors.Is(err, data.ErrNoImages) {
		t.Fatal(err)
	}
	run(t, tr.config)
	if got := tr.config.Output; strings.Count(logLines(t, got), "\n") != 2 {
		t.Errorf("log\n%s", logLines(t, got))
	}
}
