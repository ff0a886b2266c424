package dino

import (
	"math"
	"testing"
)

func TestCosine(t *testing.T) {
	c := Cosine{Start: 0, Base: 1, Final: 0.1, Warmup: 5, Steps: 20}
	for i, want := range map[int]float64{
		0: 0, 1: 0.25, 4: 1, // warm-up includes both ends
		5: 1, // so the base comes twice
		// the last step is one short of the end of the half cosine
		19: 0.1 + 0.45*(1+math.Cos(math.Pi*14/15)),
	} {
		if got := c.At(i); math.Abs(got-want) > 1e-15 {
			t.Errorf("step %d: %v, want %v", i, got, want)
		}
	}
	if got := (Cosine{Start: 0.5, Base: 2, Warmup: 1, Steps: 2}).At(0); got != 0.5 {
		t.Errorf("a warm-up of one step is its start, got %v", got)
	}
}

func TestScheduleParams(t *testing.T) {
	c := DefaultConfig()
	c.Epochs, c.WarmupEpochs, c.FreezeLastLayer, c.Seed = 4, 1, 2, 1<<40+5
	c.BatchSize, c.Accumulate, c.LocalCropsNumber = 32, 2, 3
	c.WarmupTeacherTemp, c.TeacherTemp, c.WarmupTeacherTempEpochs = 0.04, 0.07, 3
	s := NewSchedule(c, 5)
	if s.Steps() != 20 {
		t.Fatal(s.Steps())
	}
	first := s.Params(0)
	if first.LR != 0 || first.WeightDecay != 0.04 || first.TeacherMomentum != 0.996 || first.FreezeLast != 1 {
		t.Errorf("first step: %+v", first)
	}
	if first.TeacherMomentumRest != float32(1-0.996) {
		t.Errorf("1-m must be formed before rounding: %v", first.TeacherMomentumRest)
	}
	if want := float32(1 / (8.0 * 64)); first.LossScale != want {
		t.Errorf("loss scale %v, want 1/(pairs · images) = %v", first.LossScale, want)
	}
	if first.SeedLo != 5 || first.SeedHi != 1<<8 {
		t.Errorf("seed halves %d %d", first.SeedLo, first.SeedHi)
	}
	if p := s.Params(4); p.LR != float32(0.0005*64/256) || p.Epoch != 0 {
		t.Errorf("end of the warm-up: %+v", p)
	}
	for i, want := range map[int]struct {
		frozen uint32
		last   int
		temp   float64
	}{9: {1, 1, 0.055}, 10: {0, 1, 0.07}, 14: {0, 5, 0.07}, 19: {0, 10, 0.07}} {
		p := s.Params(i)
		if p.FreezeLast != want.frozen || p.Bias1Last != float32(1-math.Pow(0.9, float64(want.last))) ||
			p.Bias2Last != float32(1-math.Pow(0.999, float64(want.last))) {
			t.Errorf("step %d: frozen %d, corrections %v %v", i, p.FreezeLast, p.Bias1Last, p.Bias2Last)
		}
		if p.Bias2 != float32(1-math.Pow(0.999, float64(i+1))) || p.TeacherTemp != float32(want.temp) || p.Step != uint32(i) {
			t.Errorf("step %d: %+v", i, p)
		}
	}
}
