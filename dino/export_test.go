package dino

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/weights"
)

// exportCases are runs that differ in what a checkpoint holds.
func exportCases() map[string]func(*Config) {
	return map[string]func(*Config){
		"vit":        func(*Config) {},
		"vit free":   func(c *Config) { c.NormLastLayer, c.FreezeLastLayer, c.HeadLayers = false, 0, 1 },
		"resnet sgd": func(c *Config) { convNet(c); c.Optimizer = "sgd" },
		"resnet lars": func(c *Config) {
			convNet(c)
			c.Optimizer, c.Stem, c.NormLastLayer = "lars", "imagenet", false
			c.ImageSize, c.LocalSize = 32, 32
		},
	}
}

// saveFile writes a file into a folder of the test's.
func saveFile(t *testing.T, name string, write func(io.Writer) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := WriteFile(path, write); err != nil {
		t.Fatal(err)
	}
	return path
}

// exportedRun is a checkpoint of a run as the reference's trainer has it.
func exportedRun(t *testing.T, checkpoint string) string {
	t.Helper()
	ck, err := OpenCheckpoint(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	return saveFile(t, "checkpoint.pth", func(w io.Writer) error { return WriteReference(w, ck) })
}

func openWeights(t *testing.T, path string) *weights.File {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A run that left through the reference's checkpoint and came back ends with the
// same bits: nothing was lost, no count of the optimizer's either.
func TestExportImport(t *testing.T) {
	for name, change := range exportCases() {
		t.Run(name, func(t *testing.T) {
			c := runSettings(t)
			c.LR = 0.01
			change(&c)
			run(t, c)
			f := openWeights(t, exportedRun(t, filepath.Join(c.Output, NumberedCheckpoint(0))))

			back, err := ConfigOf(f, "student", c.Heads)
			if err != nil {
				t.Fatal(err)
			}
			// What no argument and no shape tells.
			back.LocalSize, back.KNNEvery, back.ImageSize, back.Data = c.LocalSize, c.KNNEvery, c.ImageSize, c.Data
			if c.HeadLayers == 1 {
				back.HeadHiddenDim = c.HeadHiddenDim
			}
			for _, d := range Diff(c, back) {
				t.Errorf("settings: %s", d)
			}
			back.Output = t.TempDir()
			s, err := Import(f, back, pictureSet(camera{n: runPictures}))
			if err != nil {
				t.Fatal(err)
			}
			if s.Epoch != 1 || s.Step != 5 || s.Data != runPictures {
				t.Errorf("imported %+v", s)
			}
			sameTensors(t, filepath.Join(c.Output, NumberedCheckpoint(0)), filepath.Join(back.Output, CheckpointName))
			run(t, back)
			sameTensors(t, filepath.Join(c.Output, CheckpointName), filepath.Join(back.Output, CheckpointName))

			if _, err := Import(f, back, pictureSet(camera{n: runPictures})); !errors.Is(err, ErrOtherRun) {
				t.Errorf("into a run's folder: %v", err)
			}
		})
	}
}

func sameTensors(t *testing.T, a, b string) {
	t.Helper()
	want, got := tensors(t, a), tensors(t, b)
	if len(want) != len(got) {
		t.Errorf("%d tensors and %d", len(want), len(got))
	}
	for name := range want {
		if !slices.Equal(want[name], got[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// Within an epoch there is nothing that the reference could go on with.
func TestExportMidEpoch(t *testing.T) {
	c := runSettings(t)
	c.MaxSteps = 2
	run(t, c)
	ck, err := OpenCheckpoint(filepath.Join(c.Output, CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if err := WriteReference(io.Discard, ck); !errors.Is(err, ErrMidEpoch) {
		t.Errorf("got %v", err)
	}
	// Nor with a backbone alone.
	f := openWeights(t, saveFile(t, "backbone.pth", openNetwork(t, c.Output, "teacher").WritePickled))
	if _, err := Import(f, c, pictureSet(camera{n: runPictures})); !errors.Is(err, ErrNoTraining) {
		t.Errorf("got %v", err)
	}
}

// A file that does not fit names each tensor and both shapes. Nothing
// is left behind.
func TestImportRefuses(t *testing.T) {
	c := runSettings(t)
	c.LR = 0.01
	run(t, c)
	path := exportedRun(t, filepath.Join(c.Output, NumberedCheckpoint(0)))
	for want, change := range map[string]func(*Config){
		`tensor "dino_loss/center" is [1 32], the model needs [1 48]`:                    func(c *Config) { c.OutDim = 48 },
		`student: ` + path + `: tensor "backbone.blocks.2.norm1.weight" [16] is missing`: func(c *Config) { c.Depth = 3 },
		`tensor "module.backbone.blocks.1.norm1.weight" [16] is not part of the model`:   func(c *Config) { c.Depth = 1 },
		`tensor "head.mlp.0.weight" is [24 16], the model needs [20 16]`:                 func(c *Config) { c.HeadHiddenDim = 20 },
		`exp_avg of tensor "head.mlp.0.weight" is F32 [24 16], the model needs floats`:   func(c *Config) { c.HeadHiddenDim = 20 },
		"--epochs 1":   func(c *Config) { c.Epochs, c.WarmupEpochs = 1, 2 },
		"--batch-size": func(c *Config) { c.BatchSize = 0 },
	} {
		back := c
		back.Output = filepath.Join(t.TempDir(), "new")
		change(&back)
		_, err := Import(openWeights(t, path), back, pictureSet(camera{n: runPictures}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if _, err := os.Stat(back.Output); err == nil {
			t.Errorf("%s was made", back.Output)
		}
	}
}

// openNetwork opens a network of a file of weights.
func openNetwork(t *testing.T, path, network string) *Model {
	t.Helper()
	f := openWeights(t, path)
	c, err := ConfigOf(f, network, 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenModel(f, network, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every format gives the same weights back.
func TestExportBackbone(t *testing.T) {
	for name, change := range exportCases() {
		t.Run(name, func(t *testing.T) {
			c := runSettings(t)
			change(&c)
			c.MaxSteps = 1
			run(t, c)
			m := openNetwork(t, c.Output, "teacher")
			for format, write := range map[string]func(io.Writer) error{
				"model.safetensors": m.WriteBackbone, "model.pth": m.WritePickled, "huggingface.safetensors": m.WriteHuggingFace,
			} {
				if c.Arch == "resnet18" && strings.HasPrefix(format, "huggingface") {
					if err := write(io.Discard); !errors.Is(err, ErrNoName) {
						t.Errorf("%s: %v", format, err)
					}
					continue
				}
				back := openNetwork(t, saveFile(t, format, write), "teacher")
				for _, p := range m.Params() {
					want, err1 := m.Values(p)
					got, err2 := back.Values(p)
					if err1 != nil || err2 != nil || !slices.Equal(want, got) {
						t.Errorf("%s: %s differs (%v, %v)", format, p.Name, err1, err2)
					}
				}
			}
		})
	}
}

// The hubs' descriptions say what the model is.
func TestHubConfigs(t *testing.T) {
	c := runSettings(t)
	m, err := Untrained(c)
	if err != nil {
		t.Fatal(err)
	}
	config, preprocessor, err := m.HuggingFaceConfig()
	if err != nil {
		t.Fatal(err)
	}
	timm, err := m.TIMMConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, config, `{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 16,
		"patch_size": 8, "layer_norm_eps": 1e-6, "hidden_act": "gelu", "qkv_bias": true, "model_type": "vit"}`)
	contains(t, preprocessor, `{"size": {"height": 16, "width": 16}, "resample": 3}`)
	contains(t, timm, `{"num_features": 16, "model_args": {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}}`)

	// transformers' description tells the heads.
	path := saveFile(t, "model.safetensors", m.WriteHuggingFace)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ConfigOf(openWeights(t, path), "teacher", 0)
	if err != nil || got.Heads != c.Heads || got.Dim != c.Dim || got.ImageSize != c.ImageSize {
		t.Errorf("%+v, %v", got, err)
	}

	convNet(&c)
	if m, err = Untrained(c); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.HuggingFaceConfig(); !errors.Is(err, ErrNoName) {
		t.Error(err)
	}
	if _, err := m.TIMMConfig(c); !errors.Is(err, ErrNoName) {
		t.Error(err)
	}
}

// contains checks that a JSON document has the given fields.
func contains(t *testing.T, document []byte, fields string) {
	t.Helper()
	var got, want map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(document, &got), json.Unmarshal([]byte(fields), &want)); err != nil {
		t.Fatal(err)
	}
	compact := func(v json.RawMessage) string {
		var x any
		if err := json.Unmarshal(v, &x); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.TrimSpace(b))
	}
	for name := range want {
		if got[name] == nil || compact(got[name]) != compact(want[name]) {
			t.Errorf("%s is %s, want %s", name, got[name], want[name])
		}
	}
}
