package dino

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dino-vk/dino/data"
	"dino-vk/resnet"
)

// Validate checks that the settings make sense alone and together. It reports
// every mistake, one line each: the flag, its value and what to do.
func (c Config) Validate() error {
	v := validator{config: &c}
	v.model()
	v.head()
	v.crops()
	v.optimization()
	for _, name := range []string{"num-workers", "max-steps", "saveckp-freq", "checkpoint-every", "knn-every"} {
		v.atLeast(name, 0)
	}
	v.atLeast("max-pixels", 1)
	v.require(slices.Contains(data.JPEGDecoders(), c.JPEG), "jpeg", "unknown; use one of %s", strings.Join(data.JPEGDecoders(), ", "))
	return errors.Join(v.errs...)
}

// validateCrops checks the crops' settings alone, for any patch size.
func (c Config) validateCrops() error {
	c.PatchSize = 1
	v := validator{config: &c}
	v.crops()
	return errors.Join(v.errs...)
}

type validator struct {
	config *Config
	errs   []error
}

// require records a mistake unless ok.
func (v *validator) require(ok bool, name, remedy string, args ...any) {
	if ok {
		return
	}
	f, _ := FlagNamed(name)
	v.errs = append(v.errs, fmt.Errorf("--%s %s: %s", name, f.Value(v.config), fmt.Sprintf(remedy, args...)))
}

func (v *validator) number(name string) float64 {
	f, _ := FlagNamed(name)
	switch x := f.Value(v.config).Get().(type) {
	case int:
		return float64(x)
	case float64:
		return x
	}
	return 0
}

func (v *validator) atLeast(name string, low int) bool {
	ok := v.number(name) >= float64(low)
	v.require(ok, name, "must be at least %d", low)
	return ok
}

func (v *validator) positive(name string) {
	v.require(v.number(name) > 0, name, "must be above 0")
}

func (v *validator) within(name string, low, high float64) {
	x := v.number(name)
	v.require(x >= low && x <= high, name, "must be from %g to %g", low, high)
}

func (v *validator) model() {
	c := v.config
	v.positive("init-std")
	names := ArchNames()
	v.require(slices.Contains(names, c.Arch), "arch", "unknown; use one of %s", strings.Join(names, ", "))
	if _, ok := c.ResNet(); ok {
		v.resnet()
	} else {
		v.vit()
	}
}

// resnet checks what a ResNet takes, and that nothing is set that it does not.
func (v *validator) resnet() {
	v.unset("patch-size", "dim", "depth", "heads")
	v.atLeast("width", 1)
	v.require(slices.Contains(resnet.Stems(), v.config.Stem), "stem", "unknown; use one of %s", strings.Join(resnet.Stems(), ", "))
}

// unset checks that settings of another kind of backbone have their defaults.
func (v *validator) unset(names ...string) {
	for _, name := range names {
		f, _ := FlagNamed(name)
		v.require(f.Value(v.config).String() == f.Default, name, "--arch %s has none; leave it at %s", v.config.Arch, f.Default)
	}
}

func (v *validator) vit() {
	c := v.config
	v.unset("width", "stem")
	for _, name := range []string{"dim", "depth", "heads"} {
		v.atLeast(name, 0)
	}
	dim, heads := c.ViT().Dim, c.ViT().Heads
	if dim > 0 && heads > 0 && dim%heads != 0 {
		name := "heads"
		if c.Heads == 0 {
			name = "dim"
		}
		v.require(false, name, "width %d cannot be shared by %d heads; choose --dim and --heads so that it divides", dim, heads)
	}
	v.within("patch-size", 4, 32)
	v.require(c.DropPathRate >= 0 && c.DropPathRate < 1, "drop-path-rate", "must be from 0 to below 1")
}

func (v *validator) head() {
	v.atLeast("out-dim", 2)
	v.atLeast("head-hidden-dim", 1)
	v.atLeast("head-bottleneck-dim", 1)
	v.atLeast("head-layers", 1)
	v.within("momentum-teacher", 0, 1)
	v.within("center-momentum", 0, 1)
	for _, name := range []string{"warmup-teacher-temp", "teacher-temp", "student-temp"} {
		v.positive(name)
	}
	if v.atLeast("warmup-teacher-temp-epochs", 0) {
		v.require(v.config.WarmupTeacherTempEpochs <= v.config.Epochs, "warmup-teacher-temp-epochs",
			"must not exceed --epochs %d", v.config.Epochs)
	}
}

func (v *validator) crops() {
	c := v.config
	v.atLeast("local-crops-number", 0)
	v.scale("global-crops-scale", c.GlobalCropsScale)
	v.side("image-size", c.ImageSize)
	if c.LocalCropsNumber > 0 {
		v.scale("local-crops-scale", c.LocalCropsScale)
		v.side("local-size", c.LocalSize)
	}
	for _, name := range []string{"jitter-prob", "jitter-brightness", "jitter-contrast", "jitter-saturation", "gray-prob", "blur"} {
		v.within(name, 0, 1)
	}
	v.within("jitter-hue", 0, 0.5)
}

func (v *validator) scale(name string, s Scale) {
	v.require(s.Min > 0 && s.Min <= s.Max && s.Max <= 1, name, "must be two rising numbers above 0 and up to 1, such as 0.4,1")
}

// side checks that a crop holds a patch; pixels that make no whole patch are
// dropped, as in the reference.
func (v *validator) side(name string, size int) {
	if _, ok := v.config.ResNet(); ok {
		v.atLeast(name, 1)
		return
	}
	v.require(size >= max(v.config.PatchSize, 1), name, "must be at least the --patch-size %d", v.config.PatchSize)
}

func (v *validator) precision() {
	c := v.config
	known := slices.Contains(Precisions(), c.Precision)
	v.require(known, "precision", "unknown; use one of %s", strings.Join(Precisions(), ", "))
	if !known {
		return
	}
	v.require(!c.UseFP16 || c.Precision == AutoPrecision || c.Precision == FP16, "use-fp16", "--precision is %s; give one of the two", c.Precision)
	narrow := ""
	switch {
	case c.UseFP16:
		narrow = "use-fp16"
	case c.Precision == FP16 || c.Precision == BF16:
		narrow = "precision"
	}
	if err := c.onlyFP32(); narrow != "" && err != nil {
		v.require(false, narrow, "%v", err)
	}
}

func (v *validator) optimization() {
	c := v.config
	v.require(slices.Contains(Optimizers(), c.Optimizer), "optimizer", "unknown; use one of %s", strings.Join(Optimizers(), ", "))
	v.precision()
	for _, name := range []string{"batch-size", "accumulate", "epochs"} {
		v.atLeast(name, 1)
	}
	v.positive("lr")
	for _, name := range []string{"min-lr", "weight-decay", "weight-decay-end", "clip-grad", "freeze-last-layer", "freeze-backbone"} {
		v.atLeast(name, 0)
	}
	if v.atLeast("warmup-epochs", 0) {
		v.require(c.WarmupEpochs <= c.Epochs, "warmup-epochs",
			"must not exceed --epochs %d; lower it or train longer", c.Epochs)
	}
}
