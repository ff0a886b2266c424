package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"dino-vk/dino"
	"dino-vk/gpu"
)

// Growth is how the time of a training step grows with its work.
type Growth struct {
	Recipe    string     `json:"recipe"`
	Precision string     `json:"precision"`
	Of        string     `json:"of"` // batch or tokens
	Steps     []SizeTime `json:"steps"`
	Deviation float64    `json:"deviation"` // the greatest of a step from the line, relative to the line
}

// SizeTime is the time of a step of some size.
type SizeTime struct {
	Batch        int     `json:"batch"`
	Tokens       int     `json:"tokens"` // of a crop; 0 of a ResNet
	GFLOP        float64 `json:"gflop"`  // of matrix products
	Milliseconds float64 `json:"milliseconds"`
}

// growthTuning is how long the fastest variants for one size are looked for.
const growthTuning = 5 * time.Second

// Kinds of growth.
const (
	GrowthBatch  = "batch"
	GrowthTokens = "tokens"
)

// MeasureGrowth times steps of a recipe for 1, 2, 4 … 256 images, and for about
// 64, 144, 256, 576 and 1024 tokens of two crops, as far as the device's memory
// reaches and steps take no longer than limit. done, if not nil, is told of each
// of the first of two rounds.
func MeasureGrowth(ctx context.Context, dev *gpu.Device, r Recipe, limit time.Duration, e Effort, done func(SizeTime)) ([]Growth, error) {
	precision := r.Config.Precise(dev.Caps()).Precision
	batch := Growth{Recipe: r.Name, Precision: precision, Of: GrowthBatch}
	var sizes []dino.Config
	for n := 1; n <= 256; n *= 2 {
		sizes = append(sizes, r.WithBatch(n).Config)
	}
	if err := batch.measure(ctx, dev, sizes, limit, e, done); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	if _, ok := r.Config.ResNet(); ok {
		return []Growth{batch}, nil
	}
	tokens := Growth{Recipe: r.Name, Precision: precision, Of: GrowthTokens}
	if err := tokens.measure(ctx, dev, tokenSizes(r.Config, batch.rate(), limit), limit, e, done); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return []Growth{batch, tokens}, nil
}

// tokenSizes are trainings on two larger and larger crops of as many images as
// a device of gflops can take within limit, but of 16 at most.
func tokenSizes(c dino.Config, gflops float64, limit time.Duration) []dino.Config {
	c.LocalCropsNumber = 0
	var list []dino.Config
	for _, side := range []int{8, 12, 16, 24, 32} {
		c.ImageSize = side * c.PatchSize
		list = append(list, c)
	}
	batch := 16
	for ; batch > 1; batch /= 2 {
		c.BatchSize = batch
		if StepFLOPs(c)/1e9 < gflops*limit.Seconds()/2 {
			break
		}
	}
	for i := range list {
		list[i] = Recipe{Config: list[i]}.WithBatch(batch).Config
	}
	return list
}

// measure times a step of each size, the sizes growing, in two rounds whose faster
// time counts.
func (g *Growth) measure(ctx context.Context, dev *gpu.Device, list []dino.Config, limit time.Duration, e Effort, done func(SizeTime)) error {
	for _, c := range list {
		s := SizeTime{Batch: c.BatchSize, GFLOP: StepFLOPs(c) / 1e9}
		if runs := sizesOf(c).runs; len(runs) > 0 {
			s.Tokens = runs[0].Length
		}
		if rate := g.rate(); rate > 0 && s.GFLOP/rate > limit.Seconds() {
			break
		}
		err := s.measure(ctx, dev, c, e)
		if errors.Is(err, gpu.ErrOutOfMemory) {
			break
		}
		if err != nil {
			return err
		}
		g.Steps = append(g.Steps, s)
		if done != nil {
			done(s)
		}
	}
	for i, s := range g.Steps { // once more: what else a machine does only slows a step
		if err := s.measure(ctx, dev, list[i], e); err != nil {
			return err
		}
		g.Steps[i].Milliseconds = min(g.Steps[i].Milliseconds, s.Milliseconds)
	}
	g.Deviation = deviation(g.Steps)
	return nil
}

func (s *SizeTime) measure(ctx context.Context, dev *gpu.Device, c dino.Config, e Effort) error {
	t, err := newTraining(dev, c, growthTuning)
	if err != nil {
		return err
	}
	defer t.Close()
	warm, err := t.Run(ctx, 2)
	if err != nil {
		return err
	}
	list, err := t.Run(ctx, 1+e.count(warm[1].Duration))
	if err != nil {
		return err
	}
	var times []float64
	for _, one := range list[1:] {
		times = append(times, milliseconds(one.Duration))
	}
	s.Milliseconds = spread(times).Median
	return nil
}

// rate is the GFLOP/s of the largest size so far, 0 before the first.
func (g *Growth) rate() float64 {
	if len(g.Steps) == 0 {
		return 0
	}
	last := g.Steps[len(g.Steps)-1]
	return last.GFLOP / last.Milliseconds * 1e3
}

// deviation is the greatest |t/(a + b w) - 1| of the steps' times t and work w,
// a, b >= 0 being those that fit the relative errors best by least squares: a is
// what a step costs whatever its size.
func deviation(steps []SizeTime) float64 {
	// The sums of squares of a u + b v - 1 with u = 1/t, v = w/t.
	var uu, uv, vv, u1, v1 float64
	for _, s := range steps {
		u, v := 1/s.Milliseconds, s.GFLOP/s.Milliseconds
		uu, uv, vv, u1, v1 = uu+u*u, uv+u*v, vv+v*v, u1+u, v1+v
	}
	fits := [][2]float64{{u1 / uu, 0}, {0, v1 / vv}}
	if det := uu*vv - uv*uv; det > 0 {
		fits = append(fits, [2]float64{(u1*vv - v1*uv) / det, (v1*uu - u1*uv) / det})
	}
	least, worst := math.Inf(1), 0.0
	for _, f := range fits {
		a, b := f[0], f[1]
		if a < 0 || b < 0 {
			continue
		}
		squares, most := 0.0, 0.0
		for _, s := range steps {
			squares += math.Pow((a+b*s.GFLOP)/s.Milliseconds-1, 2)
			most = max(most, math.Abs(s.Milliseconds/(a+b*s.GFLOP)-1))
		}
		if squares < least {
			least, worst = squares, most
		}
	}
	return worst
}

// String says it in a line.
func (s SizeTime) String() string {
	return fmt.Sprintf("batch %3d of %4d tokens: %9s GFLOP %9s ms", s.Batch, s.Tokens, figure(s.GFLOP), figure(s.Milliseconds))
}

// String says it in a line.
func (g Growth) String() string {
	if len(g.Steps) == 0 {
		return fmt.Sprintf("%s: no size could be measured", g.Recipe)
	}
	first, last := g.Steps[0], g.Steps[len(g.Steps)-1]
	return fmt.Sprintf("%s, %s, from batch %d of %d tokens (%s ms) to batch %d of %d tokens (%s ms): %.1f %% off a line at most",
		g.Recipe, g.Precision, first.Batch, first.Tokens, figure(first.Milliseconds), last.Batch, last.Tokens, figure(last.Milliseconds), 100*g.Deviation)
}
