package main

import (
	"regexp"
	"strings"
	"testing"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// tune prints, for each problem, the variants with their times and one choice.
func TestTuneCommand(t *testing.T) {
	caps := gputest.Open(t).Caps() // skips without a device
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	some := func(g *gpu.Graph) {
		s := gpu.NewStore()
		op.ColSum(g, s.New("sum", gpu.F32, 8), s.New("x", gpu.F32, 16, 8), 1, false)
		op.ColSum(g, s.New("sum", gpu.F32, 9), s.New("x", gpu.F32, 16, 9), 1, false)
		op.ColSum(g, s.New("sum", gpu.F32, 64), s.New("x", gpu.F32, 96, 64), 1, false)
	}
	all, every := samples, recording
	defer func() { samples, recording = all, every }()
	var config dino.Config
	samples = some
	recording = func(c dino.Config) gpu.Recorder {
		config = c
		return func(caps gpu.Caps) ([]*gpu.Graph, error) {
			g := gpu.NewGraph(caps)
			some(g)
			return []*gpu.Graph{g}, g.Err()
		}
	}
	stdout, stderr, err := execute(t, "tune", "--recipe", "cifar", "--batch-size", "3")
	if err != nil || stderr != "" {
		t.Fatal(err, stderr)
	}
	t.Log(stdout)
	if config.BatchSize != 3 || config.ImageSize != 32 {
		t.Errorf("tuned for %+v", config)
	}
	tasks, err := gpu.Tasks(caps, recording(config))
	if err != nil || len(tasks) != 2 {
		t.Fatalf("tasks %v: %v", tasks, err)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if first := firstLine(t); lines[0] != first {
		t.Errorf("the first line is %q, want %q", lines[0], first)
	}
	lines = lines[1:]
	timed := regexp.MustCompile(`^ *\d+\.\d{4} ms ([ *]) (.+)$`)
	for _, task := range tasks {
		if len(lines) < 1+len(task.Variants) || lines[0] != task.Problem {
			t.Fatalf("%q is not about %s and its variants", lines, task.Problem)
		}
		chosen := 0
		for i, v := range task.Variants {
			m := timed.FindStringSubmatch(lines[1+i])
			if m == nil || m[2] != v {
				t.Fatalf("%s: %q is no time of %s", task.Problem, lines[1+i], v)
			}
			if m[1] == "*" {
				chosen++
			}
		}
		if chosen != 1 {
			t.Errorf("%s: %d choices", task.Problem, chosen)
		}
		lines = lines[1+len(task.Variants):]
	}
	if len(lines) > 0 {
		t.Errorf("more lines: %q", lines)
	}
}

// firstLine is what tune says of a device on which all is well.
func firstLine(t *testing.T) string {
	info := gputest.Open(t).Info()
	return info.Name + ", " + info.DriverVersion + ": 0 variants are switched off"
}
