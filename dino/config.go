package dino

import (
	"fmt"

	"dino-vk/gpu/op"
)

// Config is the settings of a training run. The table Flags gives every
// field's name, default and meaning; the zero value is not useful, start from
// DefaultConfig.
type Config struct {
	// Model.
	Arch              string
	PatchSize         int
	Dim, Depth, Heads int // 0: as Arch says
	Width             int
	Stem              string
	DropPathRate      float64
	InitStd           float64
	Init              string

	// Head.
	OutDim            int
	NormLastLayer     bool
	HeadHiddenDim     int
	HeadBottleneckDim int
	HeadLayers        int
	UseBNInHead       bool

	// Teacher and loss.
	MomentumTeacher         float64
	WarmupTeacherTemp       float64
	TeacherTemp             float64
	WarmupTeacherTempEpochs int
	StudentTemp             float64
	CenterMomentum          float64

	// Crops.
	ImageSize        int
	LocalSize        int
	GlobalCropsScale Scale
	LocalCropsNumber int
	LocalCropsScale  Scale
	JitterProb       float64
	JitterBrightness float64
	JitterContrast   float64
	JitterSaturation float64
	JitterHue        float64
	GrayProb         float64
	Blur             float64

	// Optimization.
	Optimizer       string
	Precision       string
	UseFP16         bool
	BatchSize       int
	Accumulate      int
	Recompute       bool
	Epochs          int
	LR              float64
	WarmupEpochs    int
	MinLR           float64
	WeightDecay     float64
	WeightDecayEnd  float64
	ClipGrad        float64
	FreezeLastLayer int
	FreezeBackbone  int
	Seed            uint64

	// Run.
	Data            string
	MaxPixels       int
	JPEG            string
	Output          string
	Device          string
	NumWorkers      int
	Trace           string
	MaxSteps        int
	SaveCkpFreq     int
	CheckpointEvery int
	KNNEvery        int
	KNNTrain        string
	KNNTest         string
}

// DefaultConfig returns the reference trainer's defaults.
func DefaultConfig() Config {
	var c Config
	for _, f := range Flags {
		if err := f.Value(&c).Set(f.Default); err != nil {
			panic(fmt.Sprintf("default of --%s: %v", f.Name, err)) // unreachable: a test sets every default
		}
	}
	return c
}

// Optimizers names the rules that --optimizer takes.
func Optimizers() []string {
	names := make([]string, len(op.Rules))
	for i, rule := range op.Rules {
		names[i] = string(rule)
	}
	return names
}

// GlobalBatch returns the images of one optimizer step.
func (c *Config) GlobalBatch() int { return c.BatchSize * c.Accumulate }

// PeakLR returns the learning rate after the warm-up: LR is for 256 images and
// scales linearly with the batch.
func (c *Config) PeakLR() float64 { return c.LR * float64(c.GlobalBatch()) / 256 }

// Crops returns the student's crops of an image: two global ones and the local ones.
func (c *Config) Crops() int { return 2 + c.LocalCropsNumber }

// Pairs returns the terms of an image's loss: each of the two teacher crops
// with every student crop but its own view.
func (c *Config) Pairs() int { return 2*c.Crops() - 2 }

// Difference is a setting in which two runs differ.
type Difference struct {
	Flag     string // without the dashes
	Old, New string
}

func (d Difference) String() string { return fmt.Sprintf("--%s %s (was %s)", d.Flag, d.New, d.Old) }

// Diff lists the settings that make a run of config b another run than one of
// config a, in the order of Flags. Settings that leave the result alone
// (Flag.Neutral) are not compared.
func Diff(a, b Config) []Difference {
	var ds []Difference
	for _, f := range Flags {
		if before, after := f.Value(&a).String(), f.Value(&b).String(); !f.Neutral && before != after {
			ds = append(ds, Difference{f.Name, before, after})
		}
	}
	return ds
}
