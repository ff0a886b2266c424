package dino

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/data"
	"dino-vk/dino/safetensors"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// shapesBackbone is the teacher's backbone of a run with the demo's settings: a
// network that knows the set shapes.
const shapesBackbone = "testdata/shapes.safetensors"

// shapesSettings are the demo's, for four epochs of ten steps from that backbone,
// with a learning rate that destroys what it knows unless it is protected.
func shapesSettings(t *testing.T) Config {
	text, err := os.ReadFile("../cmd/demo/shapes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	if err := c.MergeYAML(text); err != nil {
		t.Fatal(err)
	}
	c.Init, c.Output = shapesBackbone, t.TempDir()
	c.Data, c.Epochs, c.KNNEvery = "shapes:train:n=320:seed=7", 4, 4
	c.LR, c.WarmupEpochs = 0.1, 0
	return c
}

// continued trains from a backbone and returns its k-NN accuracy before and
// after, in percent.
func continued(t *testing.T, c Config) (before, after float64) {
	t.Helper()
	ctx := context.Background()
	set, err := data.Open(ctx, c.Data, data.Options{MaxPixels: c.MaxPixels})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	o := &observed{}
	tr, err := NewTrainer(ctx, c, gputest.Open(t), set, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := "the backbone of " + c.Init + ", and a new head"; tr.Initial() != want {
		t.Errorf("starts from %q, want %q", tr.Initial(), want)
	}
	before, _, err = tr.probe.measure(ctx)
	if err := errors.Join(err, tr.Run(ctx), tr.Close()); err != nil {
		t.Fatal(err)
	}
	return before, float64(*o.entries[len(o.entries)-1].KNN)
}

// TestContinueSafely trains a good backbone with a new head. With the backbone
// kept fixed at first, k-NN stays what it was within the noise; without, it
// falls. The noise is that of a difference of two accuracies, each a mean of
// 1000 tests: of two standard deviations, √(2 p (1-p)/1000) each.
func TestContinueSafely(t *testing.T) {
	for _, freeze := range []int{0, 1} {
		c := shapesSettings(t)
		c.FreezeBackbone = freeze
		before, after := continued(t, c)
		p := before / 100
		noise := 2 * 100 * math.Sqrt(2*p*(1-p)/1000)
		t.Logf("--freeze-backbone %d: k-NN %.2f %% before, %.2f %% after, noise %.2f", freeze, before, after, noise)
		if before < 70 {
			t.Errorf("the backbone knows only %.2f %%", before)
		}
		if fell := after < before-noise; fell != (freeze == 0) {
			t.Errorf("--freeze-backbone %d: k-NN goes from %.2f to %.2f %%", freeze, before, after)
		}
	}
}

// initialSettings are a run of small networks from the teacher of another one,
// whose checkpoint is returned, too. set changes the settings of both.
func initialSettings(t *testing.T, set func(*Config)) (c Config, from map[string][]float32) {
	first := runSettings(t)
	set(&first)
	first.MaxSteps = 5 // an epoch, after which the reference can go on
	run(t, first)
	c = runSettings(t)
	set(&c)
	c.Init, c.Seed = filepath.Join(first.Output, CheckpointName), 1
	return c, tensors(t, c.Init)
}

// vitNet leaves the network of runSettings.
func vitNet(*Config) {}

// teacherAlone is a file of nothing but the teacher of a run's checkpoint.
func teacherAlone(t *testing.T, checkpoint string) string {
	t.Helper()
	ck, err := OpenCheckpoint(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	net, err := NewNetwork(ck.State.Config)
	if err != nil {
		t.Fatal(err)
	}
	return saveFile(t, "teacher.safetensors", func(w io.Writer) error {
		return safetensors.Write(w, nil, ck.entries(teacherPrefix, net.Params()))
	})
}

// Student and teacher both start from the file's teacher, and the center from
// the file's where it has one; a head of other shapes is drawn from the seed,
// and its center begins at zero.
func TestInitialWeights(t *testing.T) {
	const all, networks, backbone = "the backbone, the head and the center of ", "the backbone and the head of ", "the backbone of "
	own := func(_ *testing.T, checkpoint string) string { return checkpoint }
	for _, test := range []struct {
		want string
		file func(t *testing.T, checkpoint string) string
		set  func(*Config)
	}{
		{all, own, vitNet},
		{all, own, convNet},
		{all, exportedRun, vitNet},
		{networks, teacherAlone, vitNet},
		{backbone, own, vitNet},
		{backbone, own, convNet},
		{backbone, exportedRun, vitNet},
	} {
		want, head := test.want, test.want != backbone
		c, from := initialSettings(t, test.set)
		c.Init = test.file(t, c.Init)
		if !head {
			c.HeadHiddenDim++
		}
		tr, err := start(t, c, camera{n: runPictures}, &observed{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(tr.Initial(), want+c.Init) {
			t.Errorf("starts from %q", tr.Initial())
		}
		if err := errors.Join(tr.checkpoint(), tr.Close()); err != nil {
			t.Fatal(err)
		}
		got := tensors(t, filepath.Join(c.Output, CheckpointName))
		center := make([]float32, c.OutDim)
		if want == all {
			center = from["center"]
		}
		if !slices.Equal(got["center"], center) || slices.Equal(from["center"], make([]float32, c.OutDim)) {
			t.Errorf("%s: the center is %v, want %v", want, got["center"], center)
		}
		for _, p := range tr.step.params {
			values := from[teacherPrefix+p.Name]
			if !head && strings.HasPrefix(p.Name, headPrefix) {
				values = p.Values(c.Seed)
			}
			for _, network := range []string{studentPrefix, teacherPrefix} {
				if !slices.Equal(got[network+p.Name], values) {
					t.Errorf("%s: %s%s is another", want, network, p.Name)
				}
			}
		}
	}
}

// For images of another size the file's position embedding is interpolated as
// the reference would.
func TestInitialOtherSize(t *testing.T) {
	c, from := initialSettings(t, vitNet)
	c.ImageSize, c.MaxSteps = 32, 1
	tr, err := start(t, c, camera{n: runPictures}, &observed{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tr.checkpoint(), tr.Close()); err != nil {
		t.Fatal(err)
	}
	var wide []float64
	for _, v := range from[teacherPrefix+backbonePrefix+posEmbed] {
		wide = append(wide, float64(v))
	}
	want := ref.PosEmbed(wide, 2, 4, 4, c.Dim)
	got := tensors(t, filepath.Join(c.Output, CheckpointName))[teacherPrefix+backbonePrefix+posEmbed]
	for i, v := range got {
		if len(got) != len(want) || v != float32(want[i]) {
			t.Fatalf("element %d of %d is %g, want %g", i, len(got), v, want[i])
		}
	}
}

// While the backbone is kept fixed the student's head learns, and then both.
func TestFreezeBackbone(t *testing.T) {
	for _, optimizer := range Optimizers() {
		t.Run(optimizer, func(t *testing.T) {
			c, from := initialSettings(t, vitNet)
			c.Optimizer = optimizer
			for _, steps := range []int{5, 6, 7} { // the first five are an epoch; at the next one the rate is 1/5
				c.MaxSteps = steps
				run(t, c)
				got := tensors(t, filepath.Join(c.Output, CheckpointName))
				for part, want := range map[string]bool{backbonePrefix: steps > 5, headPrefix: true} {
					moved := 0.0
					for name, values := range got {
						if strings.HasPrefix(name, studentPrefix+part) {
							moved += norm(difference(values, from[strings.Replace(name, studentPrefix, teacherPrefix, 1)]))
						}
					}
					if (moved > 0) != want {
						t.Errorf("after step %d %s has moved by %g", steps, part, moved)
					}
				}
			}
		})
	}
}

func TestThaw(t *testing.T) {
	for i, want := range []float64{0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1} {
		if got := (Thaw{4}).At(i); got != want {
			t.Errorf("step %d: %g, want %g", i, got, want)
		}
	}
	c := DefaultConfig()
	if s := NewSchedule(c, 7); s.Params(0).BackboneRate != 1 {
		t.Error("without --init the backbone learns from the first step on")
	}
	c.Init = "x"
	if s := NewSchedule(c, 7); s.Params(6).BackboneRate != 0 || s.Params(13).BackboneRate != 1 {
		t.Errorf("rates %g and %g", s.Params(6).BackboneRate, s.Params(13).BackboneRate)
	}
}

// A run goes on from its own checkpoint, for which the file is not needed; with
// another file it is another run.
func TestInitialResumed(t *testing.T) {
	whole, _ := initialSettings(t, vitNet)
	run(t, whole)
	parts := whole
	parts.Output = t.TempDir()
	for _, steps := range []int{0, 3, 7} {
		parts.MaxSteps = max(steps, 1)
		run(t, parts)
	}
	kept := read(t, parts.Init)
	if err := os.Remove(parts.Init); err != nil {
		t.Fatal(err)
	}
	parts.MaxSteps = 0
	run(t, parts)
	sameRun(t, whole.Output, parts.Output)

	other := parts
	other.Init = filepath.Join(t.TempDir(), "other.safetensors")
	if err := os.WriteFile(other.Init, kept, 0o644); err != nil {
		t.Fatal(err)
	}
	err := tryRun(t, context.Background(), other, camera{n: runPictures}, &observed{})
	if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "--init "+other.Init) {
		t.Errorf("got %v", err)
	}
}

// A file that can't be taken is told before anything is written.
func TestInitialRefused(t *testing.T) {
	c, from := initialSettings(t, vitNet)
	missing := filepath.Join(t.TempDir(), "missing.safetensors")
	list := []safetensors.Entry{safetensors.Values("cls_token", []int{1, 1, 16}, from[teacherPrefix+"backbone.cls_token"])}
	if err := WriteFile(missing, func(w io.Writer) error { return safetensors.Write(w, nil, list) }); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		set  func(c *Config)
		want []string
	}{
		{func(c *Config) { c.Init = "nowhere.pth" }, []string{"--init", "nowhere.pth"}},
		{func(c *Config) { c.Init = missing }, []string{missing, `"backbone.pos_embed" [1 5 16] is missing`}},
		{func(c *Config) { c.Dim = 32 }, []string{c.Init, `"backbone.cls_token" is [1 1 16], the model needs [1 1 32]`,
			"another backbone: the file's is a ViT with --dim 16 --depth 2 --heads 2 --patch-size 8 --image-size 16, the run's a ViT with --dim 32 "}},
		{func(c *Config) { c.Heads = 4 }, []string{c.Init, "heads is 2, the model's is 4"}},
		{func(c *Config) { c.PatchSize = 4 }, []string{`"backbone.patch_embed.proj.weight" is [16 3 8 8], the model needs [16 3 4 4]`}},
		{func(c *Config) { c.Depth = 1 }, []string{"blocks.1.", "is not part of the model"}},
	} {
		c := c
		c.Output = t.TempDir()
		test.set(&c)
		err := tryRun(t, context.Background(), c, camera{n: runPictures}, &observed{})
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in %v", want, err)
			}
		}
		if left := names(t, c.Output); len(left) > 0 {
			t.Errorf("%v were written", left)
		}
	}
}
