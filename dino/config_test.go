package dino

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestDefaults checks the defaults against the reference trainer's
// (main_dino.py, get_args_parser, and the values it hides).
func TestDefaults(t *testing.T) {
	c := DefaultConfig()
	want := Config{
		Arch: "vit_small", PatchSize: 16, Width: 64, Stem: "imagenet", OutDim: 65536, NormLastLayer: true, MomentumTeacher: 0.996,
		WarmupTeacherTemp: 0.04, TeacherTemp: 0.04, WeightDecay: 0.04, WeightDecayEnd: 0.4, ClipGrad: 3,
		BatchSize: 64, Accumulate: 1, Epochs: 100, FreezeLastLayer: 1, FreezeBackbone: 1, LR: 0.0005, WarmupEpochs: 10, MinLR: 1e-6,
		Optimizer: "adamw", Precision: AutoPrecision, DropPathRate: 0.1, InitStd: 0.02, GlobalCropsScale: Scale{0.4, 1}, LocalCropsNumber: 8,
		LocalCropsScale: Scale{0.05, 0.4}, SaveCkpFreq: 20, Output: ".",
		StudentTemp: 0.1, CenterMomentum: 0.9, HeadHiddenDim: 2048, HeadBottleneckDim: 256, HeadLayers: 3,
		ImageSize: 224, LocalSize: 96, MaxPixels: 89478485, JPEG: "auto", KNNEvery: 10,
		JitterProb: 0.8, JitterBrightness: 0.4, JitterContrast: 0.4, JitterSaturation: 0.2, JitterHue: 0.1, GrayProb: 0.2, Blur: 1,
	}
	if c != want {
		t.Errorf("defaults\n%+v, want\n%+v", c, want)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if v := c.ViT(); v.Dim != 384 || v.Depth != 12 || v.Heads != 6 {
		t.Errorf("%+v", v)
	}
	if c.Crops() != 10 || c.Pairs() != 18 || c.PeakLR() != 0.0005*64/256 {
		t.Error(c.Crops(), c.Pairs(), c.PeakLR())
	}
}

// TestFlagsCoverConfig checks that every field has one flag and every flag a
// field of its own.
func TestFlagsCoverConfig(t *testing.T) {
	var c Config
	fields := map[any]string{}
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		fields[v.Field(i).Addr().Interface()] = v.Type().Field(i).Name
	}
	names := map[string]bool{}
	for _, f := range Flags {
		p := f.field(&c)
		if fields[p] == "" || names[f.Name] || f.Usage == "" || f.Group == "" {
			t.Errorf("flag %q: field %q, a second flag, or without a text", f.Name, fields[p])
		}
		names[f.Name] = true
		delete(fields, p)
		if err := f.Value(&c).Set(f.Default); err != nil || f.Value(&c).String() != f.Default {
			t.Errorf("flag %q: default %q reads as %q, %v", f.Name, f.Default, f.Value(&c), err)
		}
		if want := strings.ReplaceAll(f.Reference, "_", "-"); want != "" && want != f.Name &&
			f.Name != "batch-size" && f.Name != "data" && f.Name != "output" {
			t.Errorf("flag %q should be named as the reference's %q", f.Name, f.Reference)
		}
	}
	if len(fields) > 0 {
		t.Errorf("fields without a flag: %v", fields)
	}
}

func TestYAMLRoundTrip(t *testing.T) {
	odd := DefaultConfig()
	odd.Data, odd.Output, odd.Device = "123", "- a: 'b' #\n\tc", "~"
	odd.LR, odd.MinLR, odd.TeacherTemp = math.SmallestNonzeroFloat64, 1.0/3, 1e22
	odd.LocalCropsScale, odd.Seed, odd.NormLastLayer = Scale{1e-9, 0.1 + 0.2}, math.MaxUint64, false
	for _, c := range []Config{DefaultConfig(), odd} {
		b, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		got := DefaultConfig()
		if err := got.MergeYAML(b); err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		if got != c {
			t.Errorf("read back as %+v, wrote %+v", got, c)
		}
		if again, _ := got.YAML(); !bytes.Equal(b, again) {
			t.Errorf("written again:\n%s\nfirst:\n%s", again, b)
		}
	}
}

func TestMergeYAML(t *testing.T) {
	c := DefaultConfig()
	text := "epochs: 7\nglobal-crops-scale: [0.3, 0.9]\nlocal-crops-scale: 0.1, 0.2\nnorm-last-layer: false\ndata:\n"
	if err := c.MergeYAML([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if c.Epochs != 7 || c.GlobalCropsScale != (Scale{0.3, 0.9}) || c.LocalCropsScale != (Scale{0.1, 0.2}) || c.NormLastLayer || c.Data != "" || c.LR != 0.0005 {
		t.Errorf("%+v", c)
	}
	if err := c.MergeYAML(nil); err != nil || c.Epochs != 7 {
		t.Error("an empty file must change nothing:", err)
	}
	for text, want := range map[string]string{
		"epoch: 3":                       `line 1: unknown setting "epoch"`,
		"lr: 1\nout_dim: 3":              `line 2: unknown setting "out_dim"; here it is called out-dim`,
		"batch_size_per_gpu: 3":          `here it is called batch-size`,
		"epochs: many":                   `epochs: "many" is not a whole number`,
		"epochs: 1.5":                    `epochs: "1.5" is not a whole number`,
		"lr: .inf":                       `lr: ".inf" is not a number`,
		"lr: inf":                        `lr: "inf" is not a number`,
		"seed: -1":                       `seed: "-1" is not a whole number from 0`,
		"norm-last-layer: maybe":         `"maybe" is not true or false`,
		"global-crops-scale: [1]":        `is not two numbers such as 0.4,1`,
		"epochs: 1\nepochs: 2":           `line 2: epochs is set twice`,
		"epochs: {a: 1}":                 `epochs: not a plain value`,
		"a: &x 1\nepochs: *x":            `epochs: not a plain value`,
		"global-crops-scale: [[1], [1]]": `not a plain value`,
		"- 1":                            `not a YAML mapping`,
		"a: 1\n---\nb: 2":                `more than one YAML document`,
		"a: [":                           `yaml`,
	} {
		c := DefaultConfig()
		if err := c.MergeYAML([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want an error with %q, got %v", text, want, err)
		}
	}
}

func FuzzMergeYAML(f *testing.F) {
	b, _ := DefaultConfig().YAML()
	f.Add(b)
	f.Add([]byte("epochs: 3\nseed: 18446744073709551615"))
	f.Add([]byte("a: &a [*a, *a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := DefaultConfig()
		if c.MergeYAML(b) != nil {
			return
		}
		first, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		got := DefaultConfig()
		if err := got.MergeYAML(first); err != nil || got != c {
			t.Fatalf("%+v read back as %+v: %v", c, got, err)
		}
	})
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"--arch vgg: unknown; use one of vit_tiny, vit_small, vit_base, resnet18, resnet34, resnet50, resnet101": func(c *Config) { c.Arch = "vgg" },
		"--width 32: --arch vit_small has none; leave it at 64":                                                  func(c *Config) { c.Width = 32 },
		"--stem cifar: --arch vit_small has none; leave it at imagenet":                                          func(c *Config) { c.Stem = "cifar" },
		"--width 0: must be at least 1":                                                                          func(c *Config) { c.Arch, c.Width = "resnet18", 0 },
		"--stem vgg: unknown; use one of imagenet, cifar":                                                        func(c *Config) { c.Arch, c.Stem = "resnet18", "vgg" },
		"--patch-size 8: --arch resnet50 has none; leave it at 16":                                               func(c *Config) { c.Arch, c.PatchSize = "resnet50", 8 },
		"--local-size 0: must be at least 1":                                                                     func(c *Config) { c.Arch, c.LocalSize = "resnet50", 0 },
		"--image-size 15: must be at least the --patch-size 16":                                                  func(c *Config) { c.ImageSize = 15 },
		"--local-size 9: must be at least the --patch-size 16":                                                   func(c *Config) { c.LocalSize = 9 },
		"--blur -1: must be from 0 to 1":                                                                         func(c *Config) { c.Blur = -1 },
		"--gray-prob 1.5: must be from 0 to 1":                                                                   func(c *Config) { c.GrayProb = 1.5 },
		"--jitter-hue 0.6: must be from 0 to 0.5":                                                                func(c *Config) { c.JitterHue = 0.6 },
		"--image-size 0: must be at least the --patch-size 16":                                                   func(c *Config) { c.ImageSize = 0 },
		"--patch-size 33: must be from 4 to 32":                                                                  func(c *Config) { c.PatchSize, c.ImageSize, c.LocalSize = 33, 33, 33 },
		"--dim 100: width 100 cannot be shared by 6 heads; choose --dim and --heads so that it divides":          func(c *Config) { c.Dim = 100 },
		"--heads 5: width 384 cannot be shared by 5 heads; choose --dim and --heads so that it divides":          func(c *Config) { c.Heads = 5 },
		"--depth -1: must be at least 0":                                                                         func(c *Config) { c.Depth = -1 },
		"--drop-path-rate 1: must be from 0 to below 1":                                                          func(c *Config) { c.DropPathRate = 1 },
		"--out-dim 1: must be at least 2":                                                                        func(c *Config) { c.OutDim = 1 },
		"--head-layers 0: must be at least 1":                                                                    func(c *Config) { c.HeadLayers = 0 },
		"--momentum-teacher 1.1: must be from 0 to 1":                                                            func(c *Config) { c.MomentumTeacher = 1.1 },
		"--teacher-temp 0: must be above 0":                                                                      func(c *Config) { c.TeacherTemp = 0 },
		"--warmup-teacher-temp-epochs 101: must not exceed --epochs 100":                                         func(c *Config) { c.WarmupTeacherTempEpochs = 101 },
		"--warmup-epochs 10: must not exceed --epochs 5; lower it or train longer":                               func(c *Config) { c.Epochs = 5 },
		"--global-crops-scale 1,0.4: must be two rising numbers above 0 and up to 1, such as 0.4,1":              func(c *Config) { c.GlobalCropsScale = Scale{1, 0.4} },
		"--local-crops-number -1: must be at least 0":                                                            func(c *Config) { c.LocalCropsNumber = -1 },
		"--optimizer adam: unknown; use one of adamw, sgd, lars":                                                 func(c *Config) { c.Optimizer = "adam" },
		"--use-fp16 true: --precision is bf16; give one of the two":                                              func(c *Config) { c.UseFP16, c.Precision = true, BF16 },
		"--precision fp8: unknown; use one of auto, fp32, fp16, bf16":                                            func(c *Config) { c.Precision = "fp8" },
		"--precision bf16: --arch resnet50 computes in fp32 alone":                                               func(c *Config) { c.Arch, c.Precision, c.PatchSize = "resnet50", BF16, DefaultConfig().PatchSize },
		"--use-fp16 true: --out-dim 1001 is no multiple of 4, as 16 bits need":                                   func(c *Config) { c.UseFP16, c.OutDim = true, 1001 },
		"--batch-size 0: must be at least 1":                                                                     func(c *Config) { c.BatchSize = 0 },
		"--lr 0: must be above 0":                                                                                func(c *Config) { c.LR = 0 },
		"--clip-grad -3: must be at least 0":                                                                     func(c *Config) { c.ClipGrad = -3 },
		"--num-workers -2: must be at least 0":                                                                   func(c *Config) { c.NumWorkers = -2 },
		"--jpeg best: unknown; use one of auto, turbo, go":                                                       func(c *Config) { c.JPEG = "best" },
		"--max-pixels 0: must be at least 1":                                                                     func(c *Config) { c.MaxPixels = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant exactly\n%s", err, want)
		}
	}
	c := DefaultConfig()
	c.LocalCropsNumber, c.LocalSize, c.LocalCropsScale = 0, 0, Scale{}
	if err := c.Validate(); err != nil {
		t.Error("local settings do not matter without local crops:", err)
	}
	c.BatchSize, c.LR = 0, -1
	if err := c.Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two mistakes give two lines, got %v", err)
	}
}

func TestDiff(t *testing.T) {
	a, b := DefaultConfig(), DefaultConfig()
	b.Output, b.NumWorkers, b.MaxSteps, b.CheckpointEvery, b.KNNEvery, b.Device, b.SaveCkpFreq = "x", 3, 4, 5, 6, "cpu", 7
	if ds := Diff(a, b); len(ds) > 0 {
		t.Errorf("these do not change a run: %v", ds)
	}
	b.LR, b.Epochs = 0.001, 7
	ds := Diff(a, b)
	if len(ds) != 2 || ds[0].String() != "--epochs 7 (was 100)" || ds[1].String() != "--lr 0.001 (was 0.0005)" {
		t.Errorf("%v", ds)
	}
}
