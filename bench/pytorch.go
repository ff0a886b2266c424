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
	Recipe    string    `json:"recipe"`
	Variant   string    `json:"variant"`   // of torch_step.py
	Precision string    `json:"precision"` // of this program
	Batch     int       `json:"batch"`
	Version   string    `json:"version"` // of PyTorch
	Threads   string    `json:"threads"` // the fastest setting of those tried, or the GPU
	Theirs    float64   `json:"pytorch"` // images per second
	Ours      float64   `json:"dino_vk"`
	Losses    []float32 `json:"losses"`     // of the first steps
	Error     float64   `json:"loss_error"` // their greatest relative difference from PyTorch's
}

// Ratio is this program's speed over PyTorch's.
func (p *PyTorch) Ratio() float64 { return p.Ours / p.Theirs }

// String says it in a line.
func (p *PyTorch) String() string {
	return fmt.Sprintf("%s, batch %d, %s: %s images/s, PyTorch %s (%s, %s) %s images/s: %.3g of its speed; the first losses differ by %.1e of them at most",
		p.Recipe, p.Batch, p.Precision, figure(p.Ours), p.Version, p.Variant, p.Threads, figure(p.Theirs), p.Ratio(), p.Error)
}

// ErrNoPyTorch says that no Python with PyTorch was found, and how to get one.
var ErrNoPyTorch = errors.New("no Python with PyTorch: apt-get install python3-torch python3-numpy libopenblas0-pthread (Debian and Ubuntu; make bench-torch does it)")

// errTorch says that a variant does not run, as where PyTorch is too old for it.
var errTorch = errors.New("torch_step.py failed")

// ErrLoss says that two programs that should compute the same do not.
var ErrLoss = errors.New("the losses differ from PyTorch's")

// Variants of torch_step.py.
const (
	Plain    = "plain"    // float32, written out
	Eager    = "eager"    // bfloat16 and PyTorch's fused operations
	Compiled = "compiled" // the same by torch.compile
)

// The first steps' losses may differ by this, relative: rounding alone makes
// later ones drift apart. Those in bfloat16 differ by its epsilon, 2^-8, a few
// times over.
const (
	comparedSteps     = 3
	lossTolerance     = 1e-4
	bfloat16Tolerance = 8.0 / 256
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
// weights and on the same crops: in PyTorch as plain float32 and, on CUDA, as
// the faster variants that this PyTorch has, too. Beside the plain one this
// program computes in float32, beside those in the recipe's precision. A variant
// that this PyTorch can't run is left out. done is told of each, the plain one
// first. The error is ErrNoPyTorch, or ErrLoss if two don't compute the same, which
// does not keep the others from being compared.
func (c Comparison) Compare(ctx context.Context, dev *gpu.Device, r Recipe, progress func(string), done func(PyTorch) error) error {
	script, err := newTorch(ctx, c.Python)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer script.close()
	if err := script.writeInput(dev, r); err != nil {
		return err
	}
	variants, err := script.choose(ctx, progress)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	var errs []error
	for _, variant := range variants {
		ours := r
		if variant == Plain {
			ours = r.WithPrecision(dino.FP32)
		}
		p, err := c.byTurns(ctx, dev, ours, script, variant, progress)
		switch {
		case err == nil:
			errs = append(errs, done(p))
		case errors.Is(err, errTorch) && variant != Plain && ctx.Err() == nil:
			progress(fmt.Sprintf("left out: PyTorch, %s: %v", variant, err))
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// byTurns runs the steps of a recipe here and of a variant in PyTorch.
func (c Comparison) byTurns(ctx context.Context, dev *gpu.Device, r Recipe, script *torch, variant string, progress func(string)) (p PyTorch, err error) {
	training, err := NewTraining(dev, r.Config)
	if err != nil {
		return p, err
	}
	defer training.Close()
	p = PyTorch{Recipe: r.Name, Variant: variant, Batch: r.Config.BatchSize, Precision: training.config.Precision}
	steps := max(c.Steps+1, comparedSteps)
	var ours, theirs []float64 // seconds
	for round := range c.Rounds {
		times, err := training.Run(ctx, steps)
		if err != nil {
			return p, err
		}
		output, err := script.run(ctx, variant, script.threads, steps)
		if err != nil {
			return p, fmt.Errorf("bench: %w: %w", errTorch, err)
		}
		for _, one := range times[1:] {
			ours = append(ours, one.Duration.Seconds())
		}
		theirs = append(theirs, output.Seconds[1:]...)
		if round > 0 {
			continue
		}
		p.Version, p.Threads = output.Version, script.where(output)
		if err := p.compare(times, output.Losses, progress); err != nil {
			return p, fmt.Errorf("bench: %w", err)
		}
	}
	p.Ours = float64(r.Config.BatchSize) / spread(ours).Median
	p.Theirs = float64(r.Config.BatchSize) / spread(theirs).Median
	return p, nil
}

// writeInput writes what PyTorch begins with.
func (t *torch) writeInput(dev *gpu.Device, r Recipe) error {
	training, err := NewTraining(dev, r.Config)
	if err != nil {
		return err
	}
	defer training.Close()
	if err := dino.WriteFile(t.input, training.write); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// compare compares the losses of the first steps.
func (p *PyTorch) compare(ours []StepTime, theirs []float64, progress func(string)) error {
	for i, one := range ours[:comparedSteps] {
		progress(fmt.Sprintf("loss of step %d: dino-vk %.6f, PyTorch (%s) %.6f", i+1, one.Loss, p.Variant, theirs[i]))
		p.Losses = append(p.Losses, one.Loss)
		p.Error = max(p.Error, math.Abs(float64(one.Loss)/theirs[i]-1))
	}
	tolerance := lossTolerance
	if p.Variant != Plain {
		tolerance = bfloat16Tolerance
	}
	if !(p.Error <= tolerance) {
		return fmt.Errorf("%w (%s) by %.2g of them: allowed is %.0e", ErrLoss, p.Variant, p.Error, tolerance)
	}
	return nil
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
	var network any // null for a Vision Transformer
	if r, ok := c.ResNet(); ok {
		network = r
	}
	metadata := map[string]string{}
	for name, value := range map[string]any{
		"patch_size": c.PatchSize, "depth": c.ViT().Depth, "heads": c.ViT().Heads, "layer_norm_eps": vit.Eps,
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
	Device  string    `json:"device"` // cpu, or the name of a GPU
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
func (t *torch) run(ctx context.Context, variant string, n threads, steps int) (*torchOutput, error) {
	cmd := exec.CommandContext(ctx, t.python, t.script, t.input, "--variant", variant, "--steps", fmt.Sprint(steps), "--threads", fmt.Sprint(n.torch))
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

// choose finds the variants that are worth comparing with. On the CPU that is the
// plain one, and it finds its fastest setting by a few steps of each.
func (t *torch) choose(ctx context.Context, progress func(string)) (variants []string, err error) {
	n := runtime.NumCPU()
	t.threads = threads{n, n}
	settings := []threads{{n, 1}, {1, n}, {n, n}}
	if n == 1 {
		settings = settings[:1]
	}
	best := math.Inf(1)
	for _, s := range settings {
		out, err := t.run(ctx, Plain, s, 4)
		if err != nil {
			return nil, err
		}
		seconds := spread(out.Seconds[1:]).Median
		if out.Device != onCPU {
			return []string{Plain, Eager, Compiled}, nil
		}
		progress(fmt.Sprintf("PyTorch, %v: %s ms a step", s, figure(1000*seconds)))
		if seconds < best {
			best, t.threads = seconds, s
		}
	}
	return []string{Plain}, nil
}

// onCPU is the name of the CPU in torch_step.py's output.
const onCPU = "cpu"

// where says what PyTorch ran on.
func (t *torch) where(out *torchOutput) string {
	if out.Device != onCPU {
		return out.Device
	}
	return t.threads.String()
}
