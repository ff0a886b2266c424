package dino

import (
	"math"
	"testing"

	"dino-vk/dino/internal/reference"
)

// scheduleTolerance is relative: the reference computes in float64 too, so
// only the order of a few operations may differ.
const scheduleTolerance = 1e-12

func TestReferenceSchedules(t *testing.T) {
	family := reference.Default().Family(t, "schedules")
	var config struct {
		Cosine []struct {
			Name   string
			Base   float64 `json:"base_value"`
			Final  float64 `json:"final_value"`
			Start  float64 `json:"start_warmup_value"`
			Epochs int
			Steps  int `json:"niter_per_ep"`
			Warmup int `json:"warmup_epochs"`
		}
		TeacherTemp []struct {
			Name   string
			Warm   float64 `json:"warmup_teacher_temp"`
			Final  float64 `json:"teacher_temp"`
			Warmup int     `json:"warmup_teacher_temp_epochs"`
			Epochs int     `json:"nepochs"`
		} `json:"teacher_temp"`
	}
	family.Decode(t, "config", &config)
	find := func(name string) *reference.File {
		for _, f := range family.Files {
			if f.Lookup(name) != nil {
				return f
			}
		}
		t.Fatalf("no file holds %q", name)
		return nil
	}
	compare := func(name string, at func(i int) float64, steps int) {
		t.Run(name, func(t *testing.T) {
			want := find(name).F64(t, name)
			if len(want) != steps {
				t.Fatalf("%d values, the config makes %d", len(want), steps)
			}
			worst := 0.0
			for i, w := range want {
				e := math.Abs(at(i) - w)
				if w != 0 {
					e /= math.Abs(w)
				}
				if worst = math.Max(worst, e); !(e <= scheduleTolerance) {
					t.Errorf("value %d: %v, want %v", i, at(i), w)
				}
			}
			t.Logf("worst relative difference %.2g (limit %.2g)", worst, scheduleTolerance)
		})
	}
	for _, c := range config.Cosine {
		s := Cosine{Start: c.Start, Base: c.Base, Final: c.Final, Warmup: c.Warmup * c.Steps, Steps: c.Epochs * c.Steps}
		compare("cosine."+c.Name, s.At, s.Steps)
	}
	for _, c := range config.TeacherTemp {
		s := TeacherTemp{Warm: c.Warm, Final: c.Final, WarmupEpochs: c.Warmup}
		compare("teacher_temp."+c.Name, s.At, c.Epochs)
	}
}
