package dino

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"dino-vk/dino/data"
	"dino-vk/dino/internal/reference"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

// The official implementation's folder is named by DINOVK_DINO, since it is no
// part of this project; DINOVK_REQUIRE_TORCH=1 fails tests that lack it or
// PyTorch.
const (
	envDINO         = "DINOVK_DINO"
	envTIMM         = "DINOVK_TIMM" // the same of timm
	envRequireTorch = "DINOVK_REQUIRE_TORCH"
)

// official runs the official code.
type official struct {
	python, dino, settings string
}

// openOfficial finds Python with PyTorch and the official code, or skips.
func openOfficial(t *testing.T, c Config, epochSteps int) official {
	t.Helper()
	o := official{dino: os.Getenv(envDINO)}
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if o.python == "" && exec.Command(python, "-c", "import torch, torchvision, numpy, PIL").Run() == nil {
			o.python = python
		}
	}
	if o.dino == "" || o.python == "" {
		text := fmt.Sprintf("needs a Python with torch and torchvision (found %q) and, in %s, a folder with github.com/facebookresearch/dino (found %q)", o.python, envDINO, o.dino)
		if os.Getenv(envRequireTorch) == "1" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	v := c.ViT()
	text, err := json.Marshal(map[string]any{
		"arch": c.Arch, "image_size": c.ImageSize, "local_size": c.LocalSize, "patch_size": c.PatchSize, "dim": v.Dim, "depth": v.Depth, "heads": v.Heads,
		"head_layers": c.HeadLayers, "head_hidden": c.HeadHiddenDim, "head_bottleneck": c.HeadBottleneckDim, "epoch_steps": epochSteps,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.settings = filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(o.settings, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs a script of testdata/torch and returns what it prints.
func (o official) run(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(o.python, append([]string{filepath.Join("testdata", "torch", script), o.dino, o.settings}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if e, ok := err.(*exec.ExitError); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("%s: %v\n%s", script, err, stderr)
	}
	return out
}

// torchCases are runs whose networks the official code can build.
func torchCases() map[string]func(*Config) {
	return map[string]func(*Config){
		"vit":      func(c *Config) { c.LocalSize = 8 },
		"vit free": func(c *Config) { c.NormLastLayer, c.FreezeLastLayer = false, 0 },
		"resnet": func(c *Config) {
			convNet(c)
			c.Width, c.Stem, c.Optimizer = DefaultConfig().Width, "imagenet", "sgd"
			c.ImageSize, c.LocalSize, c.LR = 32, 24, 0.01
		},
	}
}

func randomFloats(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func writeFloats(t *testing.T, path string, v []float32) {
	t.Helper()
	if err := os.WriteFile(path, gpu.F32Bytes(v), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What is exported loads strictly into the official model class, and its
// features are those computed here, within 1e-5 of them.
func TestTorchFeatures(t *testing.T) {
	for name, change := range torchCases() {
		t.Run(name, func(t *testing.T) {
			c := runSettings(t)
			change(&c)
			o := openOfficial(t, c, 0)
			c.MaxSteps = 3
			run(t, c)
			m := openNetwork(t, c.Output, "teacher")
			dir := t.TempDir()
			images, output := filepath.Join(dir, "images"), filepath.Join(dir, "features")
			files := []string{saveFile(t, "backbone.pth", m.WritePickled), saveFile(t, "backbone.safetensors", m.WriteBackbone)}
			for _, size := range []int{c.ImageSize, c.LocalSize} {
				const n = 3
				x := randomFloats(uint64(size), n*3*size*size)
				writeFloats(t, images, x)
				o.run(t, "features.py", append([]string{images, strconv.Itoa(size), output}, files...)...)
				theirs := gpu.BytesF32(read(t, output))
				ours := featuresOfImages(t, m, x, n, 3, size, size)
				for i, file := range files {
					part := theirs[i*len(ours) : (i+1)*len(ours)]
					for _, measure := range []string{"rel_l2", "rel_max"} {
						e, err := reference.Measure(measure, ours, part)
						if err != nil || !(e <= 1e-5) {
							t.Errorf("%s, %d pixels: %s %.3g (%v)", filepath.Base(file), size, measure, e, err)
						}
						t.Logf("%s, %d pixels: %s %.2g (limit 1e-05)", filepath.Base(file), size, measure, e)
					}
				}
			}
		})
	}
}

// featuresOfImages are a model's features of images.
func featuresOfImages(t *testing.T, m *Model, x []float32, shape ...int) []float32 {
	t.Helper()
	c := gputest.New(t)
	inputs := map[string]*gpu.Tensor{}
	for _, p := range m.Params() {
		values, err := m.Values(p)
		if err != nil {
			t.Fatal(err)
		}
		inputs[p.Name] = c.Input(p.Name, values, p.Shape...)
	}
	find := func(name string) *gpu.Tensor { return inputs[name] }
	out := c.Keep(m.Forward(op.NewTape(c.Graph), find, op.Mode{}, c.Input("images", x, shape...)))
	c.Run()
	return c.Floats(out)
}

// What the hubs' folders say is enough to compute the same features: timm builds
// the model and loads it strictly; of transformers' ViT the forward pass, from
// its config.json and its names.
func TestTorchTIMM(t *testing.T) {
	timm := os.Getenv(envTIMM)
	if timm == "" {
		t.Skipf("%s names no folder with github.com/huggingface/pytorch-image-models", envTIMM)
	}
	checkHub(t, "timm_features.py", (*Model).TIMMConfig, (*Model).WriteBackbone, timm)
}

func TestTorchHuggingFace(t *testing.T) {
	config := func(m *Model, _ Config) ([]byte, error) {
		text, _, err := m.HuggingFaceConfig()
		return text, err
	}
	checkHub(t, "huggingface_features.py", config, (*Model).WriteHuggingFace)
}

// checkHub exports a folder and compares the features that a script computes
// with it.
func checkHub(t *testing.T, script string, config func(*Model, Config) ([]byte, error), write func(*Model, io.Writer) error, args ...string) {
	t.Helper()
	c := runSettings(t)
	o := openOfficial(t, c, 0)
	c.MaxSteps = 3
	run(t, c)
	m := openNetwork(t, c.Output, "teacher")
	text, err := config(m, c)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(saveFile(t, "model.safetensors", func(w io.Writer) error { return write(m, w) }))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	const n = 3
	x := randomFloats(3, n*3*c.ImageSize*c.ImageSize)
	images, output := filepath.Join(dir, "images"), filepath.Join(dir, "features")
	writeFloats(t, images, x)
	o.run(t, script, append(args, dir, images, output)...)
	e, err := reference.Measure("rel_max", featuresOfImages(t, m, x, n, 3, c.ImageSize, c.ImageSize), gpu.BytesF32(read(t, output)))
	t.Logf("rel_max %.2g (limit 1e-05)", e)
	if err != nil || !(e <= 1e-5) {
		t.Errorf("rel_max %.3g (%v)", e, err)
	}
}

// torchLoss limits a loss's relative difference, as the reference sets do.
const torchLoss = 1e-5

// The official trainer goes on with an exported run, and its next losses are
// those that the run here has.
func TestTorchResume(t *testing.T) {
	for name, change := range torchCases() {
		t.Run(name, func(t *testing.T) {
			c := runSettings(t)
			c.LR = 0.01
			change(&c)
			sampler, err := data.NewSampler(runPictures, c.GlobalBatch(), c.Seed)
			if err != nil {
				t.Fatal(err)
			}
			o := openOfficial(t, c, sampler.Steps())
			run(t, c)
			checkpoint := filepath.Join(c.Output, NumberedCheckpoint(0))

			const steps = 3
			first := sampler.Steps() // of the second epoch
			global := trajectoryCrops{steps, 2, c.BatchSize, 3 * c.ImageSize * c.ImageSize, nil}
			global.values = randomFloats(1, steps*2*c.BatchSize*global.image)
			local := trajectoryCrops{steps, c.LocalCropsNumber, c.BatchSize, 3 * c.LocalSize * c.LocalSize, nil}
			local.values = randomFloats(2, steps*c.LocalCropsNumber*c.BatchSize*local.image)
			crops := filepath.Join(t.TempDir(), "crops")
			writeFloats(t, crops+".global", global.values)
			writeFloats(t, crops+".local", local.values)
			var theirs struct {
				Epoch  int
				Losses []float32
			}
			out := o.run(t, "resume.py", exportedRun(t, checkpoint), crops, strconv.Itoa(steps))
			if err := json.Unmarshal(out, &theirs); err != nil || theirs.Epoch != 1 || len(theirs.Losses) != steps {
				t.Fatalf("%s: %v", out, err)
			}

			ck, err := OpenCheckpoint(checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			defer ck.Close()
			ours := prepareRun(t, c, sampler.Steps(), global, local)
			if err := ours.step.Load(ck); err != nil {
				t.Fatal(err)
			}
			for i, want := range theirs.Losses {
				got := ours.doCrops(i, first+i)
				e, err := reference.Measure("rel_max", []float32{got}, []float32{want})
				t.Logf("step %d: loss %v, PyTorch %v, apart by %.2g of it (limit %.2g)", i+1, got, want, e, torchLoss)
				if err != nil || !(e <= torchLoss) {
					t.Errorf("step %d: loss %v, PyTorch %v (%v)", i+1, got, want, err)
				}
			}
		})
	}
}
