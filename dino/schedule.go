package dino

import (
	"math"

	"dino-vk/gpu/op"
)

// Cosine is the reference's cosine_scheduler: a linear warm-up from Start to
// Base, both included, then half a cosine from Base towards Final, which the
// step after the last would reach:
//
//	value(i) = Final + (Base-Final)/2 · (1 + cos(π (i-Warmup) / (Steps-Warmup)))
type Cosine struct {
	Start, Base, Final float64
	Warmup, Steps      int // in steps; Warmup ≤ Steps
}

// At returns the value of step i, 0 ≤ i < Steps.
func (c Cosine) At(i int) float64 {
	if i < c.Warmup {
		return linspace(c.Start, c.Base, c.Warmup, i)
	}
	x := math.Pi * float64(i-c.Warmup) / float64(c.Steps-c.Warmup)
	return c.Final + 0.5*(c.Base-c.Final)*(1+math.Cos(x))
}

// linspace is element i of n values evenly spaced from a to b, both included;
// a single value is a.
func linspace(a, b float64, n, i int) float64 {
	if i == 0 || n == 1 {
		return a
	}
	if i == n-1 {
		return b
	}
	return float64(i)*((b-a)/float64(n-1)) + a
}

// TeacherTemp is the teacher's temperature, which changes by epoch: linear
// from Warm to Final, both included, over WarmupEpochs epochs, then constant.
type TeacherTemp struct {
	Warm, Final  float64
	WarmupEpochs int
}

// At returns the temperature of an epoch, counted from 0.
func (t TeacherTemp) At(epoch int) float64 {
	if epoch < t.WarmupEpochs {
		return linspace(t.Warm, t.Final, t.WarmupEpochs, epoch)
	}
	return t.Final
}

// Thaw is the factor of the backbone's learning rate: 0 for so many steps, then
// linear to 1 in as many more. 0 steps are for weights that were drawn.
type Thaw struct{ Steps int }

// At returns the factor of step i.
func (t Thaw) At(i int) float64 {
	if t.Steps == 0 {
		return 1
	}
	return min(max(float64(i+1-t.Steps)/float64(t.Steps), 0), 1)
}

// thaw keeps a backbone that was given fixed until its head has learned: a new
// head's gradients would undo what the backbone knows.
func (c Config) thaw(epochSteps int) Thaw {
	if c.Init == "" {
		return Thaw{}
	}
	return Thaw{c.FreezeBackbone * epochSteps}
}

// AdamW's constants are PyTorch's defaults, as in the reference.
const (
	adamBeta1 = 0.9 // the momentum of SGD and LARS, too
	adamBeta2 = 0.999
	adamEps   = 1e-8
)

// Schedule gives every value that changes from step to step.
type Schedule struct {
	LR, WeightDecay, Momentum Cosine
	Backbone                  Thaw
	Temp                      TeacherTemp
	EpochSteps                int // optimizer steps of one epoch
	FrozenSteps               int // first steps, in which the last layer stays fixed
	Updates                   Updates

	config Config
}

// Updates are AdamW's counts of its updates at a step, where they do not follow
// from the step alone: in a run that was taken over. The zero Updates are those
// of a run from its beginning.
type Updates struct {
	Step      int `json:"step"`       // steps of the schedule done by then
	All       int `json:"all"`        // updates of the weights by then
	LastLayer int `json:"last_layer"` // updates of the head's last layer
}

// NewSchedule returns the schedule of a run whose epochs have epochSteps
// optimizer steps.
func NewSchedule(c Config, epochSteps int) Schedule {
	steps := c.Epochs * epochSteps
	return Schedule{
		LR:          Cosine{0, c.PeakLR(), c.MinLR, c.WarmupEpochs * epochSteps, steps},
		WeightDecay: Cosine{Base: c.WeightDecay, Final: c.WeightDecayEnd, Steps: steps},
		Momentum:    Cosine{Base: c.MomentumTeacher, Final: 1, Steps: steps},
		Backbone:    c.thaw(epochSteps),
		Temp:        TeacherTemp{c.WarmupTeacherTemp, c.TeacherTemp, c.WarmupTeacherTempEpochs},
		EpochSteps:  epochSteps,
		FrozenSteps: min(c.FreezeLastLayer, c.Epochs) * epochSteps,
		config:      c,
	}
}

// Steps returns the optimizer steps of the whole run.
func (s Schedule) Steps() int { return s.config.Epochs * s.EpochSteps }

// Epoch returns the epoch that step i belongs to.
func (s Schedule) Epoch(i int) int { return i / s.EpochSteps }

// Params returns what the kernels read in step i, counted from 0. Everything
// is formed in float64 and rounded once.
func (s Schedule) Params(i int) op.StepParams {
	c, epoch, momentum := s.config, s.Epoch(i), s.Momentum.At(i)
	updates := s.Updates.All + i + 1 - s.Updates.Step
	p := op.StepParams{
		LR:                  float32(s.LR.At(i)),
		WeightDecay:         float32(s.WeightDecay.At(i)),
		TeacherMomentum:     float32(momentum),
		TeacherMomentumRest: float32(1 - momentum),
		TeacherTemp:         float32(s.Temp.At(epoch)),
		StudentTemp:         float32(c.StudentTemp),
		CenterMomentum:      float32(c.CenterMomentum),
		CenterMomentumRest:  float32(1 - c.CenterMomentum),
		ClipGrad:            float32(c.ClipGrad),
		BackboneRate:        float32(s.Backbone.At(i)),
		Beta1:               adamBeta1,
		Beta2:               adamBeta2,
		Beta1Rest:           1 - adamBeta1,
		Beta2Rest:           1 - adamBeta2,
		Eps:                 adamEps,
		Bias1:               adamBias(adamBeta1, updates),
		Bias2:               adamBias(adamBeta2, updates),
		LossScale:           float32(1 / (float64(c.Pairs()) * float64(c.GlobalBatch()))),
		GradientScale:       float32(1 / (float64(c.Pairs()) * float64(c.GlobalBatch()))),
		GradientUnscale:     1,
		Updates:             uint32(updates),
		SeedLo:              uint32(c.Seed),
		SeedHi:              uint32(c.Seed >> 32),
		Epoch:               uint32(epoch),
		Step:                uint32(i),
	}
	// A frozen layer takes no part in a step, so its own count starts later.
	// While it is frozen the corrections are not used, but they stay finite.
	last := max(s.Updates.LastLayer+i+1-max(s.Updates.Step, s.FrozenSteps), 1)
	p.UpdatesLast = uint32(last)
	p.Bias1Last, p.Bias2Last = adamBias(adamBeta1, last), adamBias(adamBeta2, last)
	if i < s.FrozenSteps {
		p.FreezeLast = 1
	}
	return p
}

// adamBias is Adam's bias correction 1 - βᵗ after t steps.
func adamBias(beta float64, t int) float32 {
	return float32(1 - math.Pow(beta, float64(t)))
}
