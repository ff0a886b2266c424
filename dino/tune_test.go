package dino

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// What trainings ask for follows from their settings, on a device that nobody
// has: nothing is allocated.
func TestRecording(t *testing.T) {
	caps := gpu.MinimalCaps
	caps.Features, caps.SubgroupSize, caps.MaxTexels, caps.MaxBinding = gpu.SharedMemory, 32, 1<<27, 2<<30
	paper := DefaultConfig()
	tiny := runSettings(t)
	conv := runSettings(t)
	convNet(&conv)
	for _, c := range []struct {
		name     string
		config   Config
		problems []string // some of them
	}{
		{"ViT-S/16", paper, []string{
			"gemm 44160x1536x384 B^T bias gelu slope", // fc1 of 64 images: 2 crops of 197 tokens and 8 of 37
			"gemm 25216x1536x384 B^T bias gelu",       // the teacher's, of the global crops
			"gemm 640x65536x256 B^T",                  // the prototypes
			"attention_fwd 197 of 64, 25216 rows of 1152",
			"attention_bwd_q 37 of 64, 18944 rows of 1152",
		}},
		{"tiny", tiny, []string{"gemm 56x64x16 B^T bias gelu slope"}}, // 4 images: 2 crops of 5 tokens, 2 of 2
		{"ResNet", conv, []string{"conv_dw [8 16 16 4][8 16 16 4] 3x3, stride 1, padding 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tasks, err := gpu.Tasks(caps, Recording(c.config))
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			variants := 0
			for _, task := range tasks {
				problems = append(problems, task.Problem)
				variants += len(task.Variants)
			}
			t.Logf("%d problems, %d variants of them", len(tasks), variants)
			for _, p := range c.problems {
				if !slices.Contains(problems, p) {
					t.Errorf("no problem %q", p)
				}
			}
		})
	}
}

// A run goes on with the variants that it began with on this device, whatever
// the device would choose now, and with others on another device.
func TestVariantsOfRun(t *testing.T) {
	dev := gputest.Open(t)
	c := runSettings(t)
	c.MaxSteps = 2
	tr, err := start(t, c, camera{n: runPictures}, &observed{})
	if err != nil {
		t.Fatal(err)
	}
	usual := gpu.Chosen(tr.step.Graphs()...)
	if tr.state.Variants != nil {
		t.Errorf("a device that is not tuned chose %v", tr.state.Variants)
	}
	// The plainest variant of a product, as if it had been the fastest; not of a weight
	// gradient, as that adds no parts.
	tasks, err := gpu.Tasks(tr.caps(), Recording(c))
	if err != nil {
		t.Fatal(err)
	}
	chosen := maps.Clone(usual)
	for _, task := range tasks {
		if strings.HasPrefix(task.Problem, "gemm ") && !strings.Contains(task.Problem, "A^T") {
			chosen[task.Problem] = task.Variants[len(task.Variants)-1]
			break
		}
	}
	if maps.Equal(usual, chosen) {
		t.Fatalf("no other choices than %v", usual)
	}
	began := &Variants{deviceID(dev), chosen}
	tr.state.Variants = began
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}

	goOn := func(place string, want map[string]string) {
		t.Helper()
		c.MaxSteps++
		tr, err := start(t, c, camera{n: runPictures}, &observed{})
		if err != nil {
			t.Fatal(err)
		}
		if v := tr.state.Variants; v == nil || v.Device != place || !maps.Equal(v.Chosen, chosen) {
			t.Errorf("the checkpoint has %v", v)
		}
		if got := gpu.Chosen(tr.step.Graphs()...); !maps.Equal(got, want) {
			t.Errorf("%s: goes on with %v, want %v", place, got, want)
		}
		tr.state.Variants.Device = "another"
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
	}
	goOn(deviceID(dev), chosen)
	goOn("another", usual)
}

// A run that begins on a device that chooses notes what was chosen.
func TestVariantsNoted(t *testing.T) {
	gputest.Open(t) // skips without a device
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	defer func(usual time.Duration) { tuningTime = usual }(tuningTime)
	tuningTime = 0
	dev, err := gpu.OpenTuned(context.Background(), gpu.Options{}, true, func(*gpu.Graph) {})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c := runSettings(t)
	tr, err := NewTrainer(context.Background(), c, dev, pictureSet(camera{n: runPictures}), &observed{})
	if err != nil {
		t.Fatal(err)
	}
	chosen := gpu.Chosen(append(tr.step.Graphs(), tr.probe.graphs()...)...)
	if v := tr.state.Variants; v == nil || v.Device != deviceID(dev) || len(chosen) == 0 || !maps.Equal(v.Chosen, chosen) {
		t.Errorf("noted %v, chosen %v", v, chosen)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
}
