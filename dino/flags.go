package dino

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"dino-vk/dino/data"
	"dino-vk/resnet"
)

// Flag describes one setting: the command line, the YAML file, the help and
// the documentation's table are all made from it.
type Flag struct {
	Name      string // on the command line (with two dashes) and in YAML
	Group     string
	Default   string
	Reference string // the reference trainer's flag, "" where it has none
	Usage     string
	Neutral   bool // changing it does not change what a run computes

	field func(*Config) any
}

// Value gives access to the flag's field of c. It implements flag.Value.
func (f Flag) Value(c *Config) Value { return Value{f.field(c)} }

const (
	groupModel   = "model"
	groupHead    = "head"
	groupTeacher = "teacher and loss"
	groupCrops   = "crops"
	groupOptim   = "optimization"
	groupRun     = "run"
)

// Flags is the table of all settings, in the order in which they are shown.
var Flags = []Flag{
	{Name: "arch", Group: groupModel, Default: "vit_small", Reference: "arch",
		Usage: "backbone: " + strings.Join(ArchNames(), ", "), field: func(c *Config) any { return &c.Arch }},
	{Name: "patch-size", Group: groupModel, Default: "16", Reference: "patch_size",
		Usage: "ViT: side of a patch in pixels, 4 to 32; smaller is better and slower", field: func(c *Config) any { return &c.PatchSize }},
	{Name: "dim", Group: groupModel, Default: "0",
		Usage: "ViT: width; 0 takes it from --arch", field: func(c *Config) any { return &c.Dim }},
	{Name: "depth", Group: groupModel, Default: "0",
		Usage: "ViT: blocks; 0 takes it from --arch", field: func(c *Config) any { return &c.Depth }},
	{Name: "heads", Group: groupModel, Default: "0",
		Usage: "ViT: attention heads; 0 takes it from --arch", field: func(c *Config) any { return &c.Heads }},
	{Name: "width", Group: groupModel, Default: "64",
		Usage: "ResNet: channels of the first stage, doubled by each further one", field: func(c *Config) any { return &c.Width }},
	{Name: "stem", Group: groupModel, Default: string(resnet.ImageNet),
		Usage: "ResNet: imagenet (a 7 × 7 convolution and pooling, each of stride 2) or cifar (a 3 × 3 convolution, for small images)", field: func(c *Config) any { return &c.Stem }},
	{Name: "drop-path-rate", Group: groupModel, Default: "0.1", Reference: "drop_path_rate",
		Usage: "ViT: stochastic depth of the student, rising linearly to this at the last block", field: func(c *Config) any { return &c.DropPathRate }},
	{Name: "init-std", Group: groupModel, Default: "0.02",
		Usage: "standard deviation of the linear layers' first weights; narrow networks learn sooner with more, such as 0.1 for --dim 64", field: func(c *Config) any { return &c.InitStd }},
	{Name: "init", Group: groupModel, Default: "",
		Usage: "file of weights to start from, of any source; a head, with its center, is taken from it where it has one of the same shape", field: func(c *Config) any { return &c.Init }},

	{Name: "out-dim", Group: groupHead, Default: "65536", Reference: "out_dim",
		Usage: "K, the prototypes (outputs of the head)", field: func(c *Config) any { return &c.OutDim }},
	{Name: "norm-last-layer", Group: groupHead, Default: "true", Reference: "norm_last_layer",
		Usage: "keep the last layer's weight norm at 1; false learns better but is less stable", field: func(c *Config) any { return &c.NormLastLayer }},
	{Name: "head-hidden-dim", Group: groupHead, Default: "2048",
		Usage: "width of the head's hidden layers", field: func(c *Config) any { return &c.HeadHiddenDim }},
	{Name: "head-bottleneck-dim", Group: groupHead, Default: "256",
		Usage: "width of the head's bottleneck", field: func(c *Config) any { return &c.HeadBottleneckDim }},
	{Name: "head-layers", Group: groupHead, Default: "3",
		Usage: "layers of the head before the prototypes", field: func(c *Config) any { return &c.HeadLayers }},
	{Name: "use-bn-in-head", Group: groupHead, Default: "false", Reference: "use_bn_in_head",
		Usage: "batch norm in the head", field: func(c *Config) any { return &c.UseBNInHead }},

	{Name: "momentum-teacher", Group: groupTeacher, Default: "0.996", Reference: "momentum_teacher",
		Usage: "EMA momentum of the teacher at the start, rising to 1; with small batches use more, as 0.9995 for 256", field: func(c *Config) any { return &c.MomentumTeacher }},
	{Name: "warmup-teacher-temp", Group: groupTeacher, Default: "0.04", Reference: "warmup_teacher_temp",
		Usage: "teacher temperature at the start", field: func(c *Config) any { return &c.WarmupTeacherTemp }},
	{Name: "teacher-temp", Group: groupTeacher, Default: "0.04", Reference: "teacher_temp",
		Usage: "teacher temperature after its warm-up; above 0.07 is unstable", field: func(c *Config) any { return &c.TeacherTemp }},
	{Name: "warmup-teacher-temp-epochs", Group: groupTeacher, Default: "0", Reference: "warmup_teacher_temp_epochs",
		Usage: "epochs of the temperature's warm-up", field: func(c *Config) any { return &c.WarmupTeacherTempEpochs }},
	{Name: "student-temp", Group: groupTeacher, Default: "0.1",
		Usage: "student temperature", field: func(c *Config) any { return &c.StudentTemp }},
	{Name: "center-momentum", Group: groupTeacher, Default: "0.9",
		Usage: "EMA momentum of the center", field: func(c *Config) any { return &c.CenterMomentum }},

	{Name: "image-size", Group: groupCrops, Default: "224",
		Usage: "side of a global crop in pixels", field: func(c *Config) any { return &c.ImageSize }},
	{Name: "local-size", Group: groupCrops, Default: "96",
		Usage: "side of a local crop in pixels", field: func(c *Config) any { return &c.LocalSize }},
	{Name: "global-crops-scale", Group: groupCrops, Default: "0.4,1", Reference: "global_crops_scale",
		Usage: "smallest and largest part of the image's area in a global crop", field: func(c *Config) any { return &c.GlobalCropsScale }},
	{Name: "local-crops-number", Group: groupCrops, Default: "8", Reference: "local_crops_number",
		Usage: "local crops of an image; 0 trains on the two global ones", field: func(c *Config) any { return &c.LocalCropsNumber }},
	{Name: "local-crops-scale", Group: groupCrops, Default: "0.05,0.4", Reference: "local_crops_scale",
		Usage: "smallest and largest part of the image's area in a local crop", field: func(c *Config) any { return &c.LocalCropsScale }},
	{Name: "jitter-prob", Group: groupCrops, Default: "0.8",
		Usage: "part of the crops whose colours are jittered", field: func(c *Config) any { return &c.JitterProb }},
	{Name: "jitter-brightness", Group: groupCrops, Default: "0.4",
		Usage: "greatest change of the brightness, as a part of it", field: func(c *Config) any { return &c.JitterBrightness }},
	{Name: "jitter-contrast", Group: groupCrops, Default: "0.4",
		Usage: "greatest change of the contrast", field: func(c *Config) any { return &c.JitterContrast }},
	{Name: "jitter-saturation", Group: groupCrops, Default: "0.2",
		Usage: "greatest change of the saturation", field: func(c *Config) any { return &c.JitterSaturation }},
	{Name: "jitter-hue", Group: groupCrops, Default: "0.1",
		Usage: "greatest turn of the hue; 0.5 is any colour", field: func(c *Config) any { return &c.JitterHue }},
	{Name: "gray-prob", Group: groupCrops, Default: "0.2",
		Usage: "part of the crops that lose their colours", field: func(c *Config) any { return &c.GrayProb }},
	{Name: "blur", Group: groupCrops, Default: "1",
		Usage: "factor of the blur's probabilities, 0 to 1; its radius of up to 2 pixels is meant for large crops", field: func(c *Config) any { return &c.Blur }},

	{Name: "optimizer", Group: groupOptim, Default: "adamw", Reference: "optimizer",
		Usage: "adamw, or for ConvNets sgd or lars, with momentum 0.9", field: func(c *Config) any { return &c.Optimizer }},
	{Name: "precision", Group: groupOptim, Default: AutoPrecision,
		Usage: "what matrix products and attention compute in: fp32, bf16, fp16 with a dynamic loss scale, or auto, which is one of 16 bits on GPUs with matrix units for it; weights and sums are fp32 in all", field: func(c *Config) any { return &c.Precision }},
	{Name: "use-fp16", Group: groupOptim, Default: "false", Reference: "use_fp16",
		Usage: "the reference's name of --precision fp16", field: func(c *Config) any { return &c.UseFP16 }},
	{Name: "batch-size", Group: groupOptim, Default: "64", Reference: "batch_size_per_gpu",
		Usage: "images on the device at a time", field: func(c *Config) any { return &c.BatchSize }},
	{Name: "accumulate", Group: groupOptim, Default: "1",
		Usage: "batches per optimizer step; the same result as one batch of all their images, but for batch norm, whose statistics are those of each batch", field: func(c *Config) any { return &c.Accumulate }},
	{Name: "recompute", Group: groupOptim, Default: "false", Neutral: true,
		Usage: "keep of each block its input alone and compute the rest again for the backward: the same bits; ViT-S/16 at batch 64 takes 3.0 GiB in place of 14 (2.7 of 8.5 in bf16), and a fifth more arithmetic", field: func(c *Config) any { return &c.Recompute }},
	{Name: "epochs", Group: groupOptim, Default: "100", Reference: "epochs",
		Usage: "passes over the data; all schedules end with them", field: func(c *Config) any { return &c.Epochs }},
	{Name: "lr", Group: groupOptim, Default: "0.0005", Reference: "lr",
		Usage: "peak learning rate for 256 images per step; scaled by batch-size × accumulate / 256", field: func(c *Config) any { return &c.LR }},
	{Name: "warmup-epochs", Group: groupOptim, Default: "10", Reference: "warmup_epochs",
		Usage: "epochs of linear learning rate warm-up", field: func(c *Config) any { return &c.WarmupEpochs }},
	{Name: "min-lr", Group: groupOptim, Default: "1e-06", Reference: "min_lr",
		Usage: "learning rate at the end, not scaled", field: func(c *Config) any { return &c.MinLR }},
	{Name: "weight-decay", Group: groupOptim, Default: "0.04", Reference: "weight_decay",
		Usage: "weight decay at the start", field: func(c *Config) any { return &c.WeightDecay }},
	{Name: "weight-decay-end", Group: groupOptim, Default: "0.4", Reference: "weight_decay_end",
		Usage: "weight decay at the end, reached by a cosine", field: func(c *Config) any { return &c.WeightDecayEnd }},
	{Name: "clip-grad", Group: groupOptim, Default: "3", Reference: "clip_grad",
		Usage: "largest gradient norm of each parameter tensor; 0 does not clip", field: func(c *Config) any { return &c.ClipGrad }},
	{Name: "freeze-last-layer", Group: groupOptim, Default: "1", Reference: "freeze_last_layer",
		Usage: "epochs during which the last layer is kept fixed", field: func(c *Config) any { return &c.FreezeLastLayer }},
	{Name: "freeze-backbone", Group: groupOptim, Default: "1",
		Usage: "with --init, epochs during which the backbone is kept fixed while the head learns; in as many more its learning rate rises", field: func(c *Config) any { return &c.FreezeBackbone }},
	{Name: "seed", Group: groupOptim, Default: "0", Reference: "seed",
		Usage: "seed of the weights, the order of the data and all augmentation", field: func(c *Config) any { return &c.Seed }},

	{Name: "data", Group: groupRun, Default: "", Reference: "data_path",
		Usage: "images: a folder, list file, tar, CIFAR or IDX file, a pack, or the built-in set shapes", field: func(c *Config) any { return &c.Data }},
	{Name: "max-pixels", Group: groupRun, Default: "89478485",
		Usage: "images of more pixels are skipped unread", field: func(c *Config) any { return &c.MaxPixels }},
	{Name: "jpeg", Group: groupRun, Default: data.JPEGAuto, Neutral: true, // the state holds the decoder itself
		Usage: "decoder of JPEG files: turbo (libjpeg-turbo), go (slower, and not to the bit as Pillow's), or auto, which is turbo where it is installed", field: func(c *Config) any { return &c.JPEG }},
	{Name: "output", Group: groupRun, Default: ".", Reference: "output_dir", Neutral: true,
		Usage: "folder for checkpoints, config.yaml and log.txt", field: func(c *Config) any { return &c.Output }},
	{Name: "device", Group: groupRun, Default: "", Neutral: true,
		Usage: "Vulkan device by index, part of its name, or UUID; empty takes the best", field: func(c *Config) any { return &c.Device }},
	{Name: "num-workers", Group: groupRun, Default: "0", Reference: "num_workers", Neutral: true,
		Usage: "goroutines that decode images; 0 is one per core", field: func(c *Config) any { return &c.NumWorkers }},
	{Name: "trace", Group: groupRun, Default: "", Neutral: true,
		Usage: "file for the device time of every kernel, averaged over the run's steps", field: func(c *Config) any { return &c.Trace }},
	{Name: "max-steps", Group: groupRun, Default: "0", Neutral: true,
		Usage: "end the run after this many optimizer steps; 0 runs all epochs", field: func(c *Config) any { return &c.MaxSteps }},
	{Name: "saveckp-freq", Group: groupRun, Default: "20", Reference: "saveckp_freq", Neutral: true,
		Usage: "keep a numbered checkpoint every so many epochs; 0 keeps none", field: func(c *Config) any { return &c.SaveCkpFreq }},
	{Name: "checkpoint-every", Group: groupRun, Default: "0", Neutral: true,
		Usage: "write the checkpoint every so many optimizer steps, besides the end of every epoch; 0 does not", field: func(c *Config) any { return &c.CheckpointEvery }},
	{Name: "knn-every", Group: groupRun, Default: "10", Neutral: true,
		Usage: "measure the teacher by k-NN every so many epochs where labels exist; 0 never", field: func(c *Config) any { return &c.KNNEvery }},
	{Name: "knn-train", Group: groupRun, Default: "", Neutral: true,
		Usage: "labelled images whose features are the k-NN's neighbours; empty takes --data", field: func(c *Config) any { return &c.KNNTrain }},
	{Name: "knn-test", Group: groupRun, Default: "", Neutral: true,
		Usage: "labelled images on which the k-NN is measured; empty holds out a part of --knn-train", field: func(c *Config) any { return &c.KNNTest }},
}

// FlagNamed returns the flag of that name.
func FlagNamed(name string) (Flag, bool) {
	for _, f := range Flags {
		if f.Name == name {
			return f, true
		}
	}
	return Flag{}, false
}

// Scale is a range of a crop's share of the image's area.
type Scale struct{ Min, Max float64 }

// Value sets and prints one field of a Config. It implements flag.Value and
// the generic flag value of urfave/cli.
type Value struct{ field any }

// Get returns the field's value: a string, int, uint64, float64, bool or Scale.
func (v Value) Get() any {
	switch p := v.field.(type) {
	case *string:
		return *p
	case *int:
		return *p
	case *uint64:
		return *p
	case *float64:
		return *p
	case *bool:
		return *p
	case *Scale:
		return *p
	}
	return nil
}

// String formats the value so that Set reads it back exactly.
func (v Value) String() string {
	switch x := v.Get().(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case Scale:
		return strconv.FormatFloat(x.Min, 'g', -1, 64) + "," + strconv.FormatFloat(x.Max, 'g', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

// Set parses text into the field, which keeps its value on an error.
func (v Value) Set(text string) error {
	switch p := v.field.(type) {
	case *string:
		*p = text
		return nil
	case *int:
		return parse(p, text, "a whole number", strconv.Atoi)
	case *uint64:
		return parse(p, text, "a whole number from 0", func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	case *float64:
		return parse(p, text, "a number", parseFinite)
	case *bool:
		return parse(p, text, "true or false", strconv.ParseBool)
	case *Scale:
		return parse(p, text, "two numbers such as 0.4,1", parseScale)
	}
	return errors.New("no such setting")
}

func parse[T any](p *T, text, want string, parser func(string) (T, error)) error {
	x, err := parser(text)
	if err != nil {
		return fmt.Errorf("%q is not %s", text, want)
	}
	*p = x
	return nil
}

func parseFinite(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
		err = strconv.ErrRange
	}
	return x, err
}

func parseScale(text string) (Scale, error) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if len(parts) != 2 {
		return Scale{}, strconv.ErrSyntax
	}
	low, err1 := parseFinite(parts[0])
	high, err2 := parseFinite(parts[1])
	return Scale{low, high}, errors.Join(err1, err2)
}
