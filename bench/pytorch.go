package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"dino-vk/dino"
	"dino-vk/dino/safetensors"
	"dino-vk/gpu"
	"dino-vk/vit"
)

// PyTorch is the speed of training steps beside the same steps in PyTorch.
type PyTorch struct {
	Recipe  string    `json:"recipe"`
	Batch   int       `json:"batch"`
	Version string    `json:"version"` // of PyTorch
	Threads string    `json:"threads"` // the fastest setting of those tried
	Theirs  float64   `json:"pytorch"` // images per second
	Ours    float64   `json:"dino_vk"`
	Losses  []float32 `json:"losses"`     // of the first steps
	Error   float64   `json:"loss_error"` // their greatest relative difference from PyTorch's
}

// Ratio is this program's speed over PyTorch's.
func (p *PyTorch) Ratio() float64 { return p.Ours / p.Theirs }

// String says it in a line.
func (p *PyTorch) String() string {
	return fmt.Sprintf("%s, batch %d: %s images/s, PyTorch %s (%s) %s images/s: %.3g of its speed; the first losses differ by %.1e of them at most",
		p.Recipe, p.Batch, figure(p.Ours), p.Version, p.Threads, figure(p.Theirs), p.Ratio(), p.Error)
}

// ErrNoPyTorch says that no Python with PyTorch was found, and how to get one.
var ErrNoPyTorch = errors.New("no Python with PyTorch: apt-get install python3-torch python3-numpy libopenblas0-pthread (Debian and Ubuntu; make bench-torch does it)")

// ErrLoss says that two programs that should compute the same do not.
var ErrLoss = errors.New("the losses differ from PyTorch's")

// The first steps' losses may differ by this, relative: rounding alone makes
// later ones drift apart.
const (
	comparedSteps = 3
	lossTolerance = 1e-4
)

//go:embed torch_step.py
var torchStep []byte

// Comparison says how to compare with PyTorch.
type Comparison struct {
	Python []string // interpreters to try, the first that has PyTorch is taken
	Steps  int      // of each program in a round, besides the first, which is not timed
	Rounds int      // the two take turns
}

// Compare runs a recipe's steps here and in PyTorch by turns, from the same
// weights and on the same crops. The error is ErrNoPyTorch, or ErrLoss if the
// two don't compute the same.
func (c Comparison) Compare(ctx context.Context, dev *gpu.Device, r Recipe, progress func(string)) (*PyTorch, error) {
	script, err := newTorch(ctx, c.Python)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer script.close()
	ours, err := NewTraining(dev, r.Config)
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	err = dino.WriteFile(script.input, ours.write)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := script.chooseThreads(ctx, progress); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p := &PyTorch{Recipe: r.Name, Batch: r.Config.BatchSize, Threads: script.threads.String()}
	var mine, theirs []float64 // seconds
	for round := range c.Rounds {
		list, err := ours.Run(ctx, max(c.Steps+1, comparedSteps))
		if err != nil {
			return nil, err
		}
		for _, one := range list[1:] {
			mine = append(mine, one.Duration.Seconds())
		}
		output, err := script.run(ctx, script.threads, max(c.Steps+1, comparedSteps))
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		theirs = append(theirs, output.Seconds[1:]...)
		if round > 0 {
			continue
		}
		p.Version = output.Version
		for i, one := range list[:comparedSteps] {
			progress(fmt.Sprintf("loss of step %d: dino-vk %.6f, PyTorch %.6f", i+1, one.Loss, output.Losses[i]))
			p.Losses = append(p.Losses, one.Loss)
			p.Error = max(p.Error, math.Abs(float64(one.Loss)/output.Losses[i]-1))
		}
		if !(p.Error <= lossTolerance) {
			return p, fmt.Errorf("bench: %w by %.2g of them: allowed is %.0e", ErrLoss, p.Error, lossTolerance)
		}
	}
	p.Ours = float64(p.Batch) / spread(mine).Median
	p.Theirs = float64(p.Batch) / spread(theirs).Median
	return p, nil
}

// write writes weights, crops and settings for torch_step.py.
func (t *Training) write(w io.Writer) error {
	c := t.config
	var entries []safetensors.Entry
	for _, e := range t.step.Entries() {
		if strings.HasPrefix(e.Name, "student.") || strings.HasPrefix(e.Name, "teacher.") {
			entries = append(entries, e)
		}
	}
	entries = append(entries, safetensors.Values("crops.global", []int{2, c.BatchSize, 3, c.ImageSize, c.ImageSize}, t.globals))
	if t.locals != nil {
		entries = append(entries, safetensors.Values("crops.local", []int{c.LocalCropsNumber, c.BatchSize, 3, c.LocalSize, c.LocalSize}, t.locals))
	}
	_, depth, heads := c.Backbone()
	var network any // null for a Vision Transformer
	if r, ok := c.ResNet(); ok {
		network = r
	}
	metadata := map[string]string{}
	for name, value := range map[string]any{
		"patch_size": c.PatchSize, "depth": depth, "heads": heads, "layer_norm_eps": vit.Eps,
		"resnet": network, "use_bn_in_head": c.UseBNInHead, "head_layers": c.HeadLayers, "norm_last_layer": c.NormLastLayer,
		"lr": c.PeakLR(), "weight_decay": c.WeightDecay, "clip_grad": c.ClipGrad, "momentum": c.MomentumTeacher,
		"teacher_temp": c.TeacherTemp, "student_temp": c.StudentTemp, "center_momentum": c.CenterMomentum,
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		metadata[name] = string(text)
	}
	return safetensors.Write(w, metadata, entries)
}

// torch runs torch_step.py.
type torch struct {
	python             string
	dir, script, input string // files are in a folder of their own
	threads            threads
}

// threads are what OpenBLAS and PyTorch may use. Each has its own, and the two
// slow each other down where both have many.
type threads struct{ blas, torch int }

func (t threads) String() string {
	return fmt.Sprintf("OpenBLAS %d, PyTorch %d threads", t.blas, t.torch)
}

// torchOutput is what torch_step.py prints.
type torchOutput struct {
	Version string    `json:"version"`
	Losses  []float64 `json:"losses"`
	Seconds []float64 `json:"seconds"`
}

func newTorch(ctx context.Context, pythons []string) (*torch, error) {
	t := &torch{}
	for _, python := range pythons {
		if t.python == "" && exec.CommandContext(ctx, python, "-c", "import numpy, torch").Run() == nil {
			t.python = python
		}
	}
	if t.python == "" {
		return nil, fmt.Errorf("%w; tried %s", ErrNoPyTorch, strings.Join(pythons, ", "))
	}
	var err error
	if t.dir, err = os.MkdirTemp("", "dino-vk-bench"); err != nil {
		return nil, err
	}
	t.script, t.input = filepath.Join(t.dir, "torch_step.py"), filepath.Join(t.dir, "step.safetensors")
	if err := os.WriteFile(t.script, torchStep, 0o600); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// close removes the files.
func (t *torch) close() {
	// Left-over files in the system's folder for them do no harm.
	_ = os.RemoveAll(t.dir)
}

// run carries out steps in a process of its own.
func (t *torch) run(ctx context.Context, n threads, steps int) (*torchOutput, error) {
	cmd := exec.CommandContext(ctx, t.python, t.script, t.input, "--steps", fmt.Sprint(steps), "--threads", fmt.Sprint(n.torch))
	cmd.Env = append(os.Environ(), fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", n.blas), fmt.Sprintf("OMP_NUM_THREADS=%d", n.torch))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("torch_step.py: %w\n%s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	out := &torchOutput{}
	if err := json.Unmarshal(stdout, out); err != nil {
		return nil, fmt.Errorf("torch_step.py printed %q: %w", stdout, err)
	}
	if len(out.Losses) != steps || len(out.Seconds) != steps {
		return nil, fmt.Errorf("torch_step.py did %d of %d steps", len(out.Losses), steps)
	}
	return out, nil
}

// chooseThreads finds PyTorch's fastest setting by a few steps of each.
func (t *torch) chooseThreads(ctx context.Context, progress func(string)) error {
	n := runtime.NumCPU()
	settings := []threads{{n, 1}, {1, n}, {n, n}}
	if n == 1 {
		settings = settings[:1]
	}
	best := math.Inf(1)
	for _, s := range settings {
		out, err := t.run(ctx, s, 4)
		if err != nil {
			return err
		}
		seconds := spread(out.Seconds[1:]).Median
		progress(fmt.Sprintf("PyTorch, %v: %s ms a step", s, figure(1000*seconds)))
		if seconds < best {
			best, t.threads = seconds, s
		}
	}
	return nil
}
