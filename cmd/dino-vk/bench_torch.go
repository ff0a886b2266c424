package main

import (
	"errors"

	"dino-vk/bench"
)

// compare measures this program beside PyTorch and what else there are goals
// for, and says each as a line "ratio: NAME=X", that of whole steps first.
func (b *benchRun) compare() error {
	if len(b.recipes) != 1 {
		return errors.New("--torch compares one --recipe")
	}
	r := b.recipes[0]
	comparison := bench.Comparison{Python: []string{"python3", "/usr/bin/python3"}, Steps: b.Int("torch-steps"), Rounds: 2}
	if python := b.String("python"); python != "" {
		comparison.Python = []string{python}
	}
	if err := b.compareSteps(comparison, r); err != nil {
		return err
	}
	if err := b.host(r); err != nil {
		return err
	}
	for _, h := range b.result.Host {
		b.reach(h.Goals()...)
	}
	if err := b.save(); err != nil {
		return err
	}
	if err := b.peaks(benchPeaks, benchKernels); err != nil {
		return err
	}
	if b.wants(benchPeaks) {
		goals, err := bench.MeasureCopies(b.Context.Context, b.dev, *b.result.Peaks, kernelEffort)
		if err != nil {
			return err
		}
		b.reach(goals...)
		if err := b.save(); err != nil {
			return err
		}
	}
	if err := b.compareKernels(comparison, r); err != nil {
		return err
	}
	if err := b.growth(r); err != nil {
		return err
	}
	for _, g := range b.result.Growth {
		b.reach(g.Goal())
	}
	return b.save()
}

// reach says goals and keeps them.
func (b *benchRun) reach(goals ...bench.Goal) {
	for _, g := range goals {
		b.result.Goals = append(b.result.Goals, g)
		b.say("%v", g)
	}
}

func (b *benchRun) compareSteps(comparison bench.Comparison, r bench.Recipe) error {
	if !b.wants(benchSteps) {
		return nil
	}
	err := comparison.Compare(b.Context.Context, b.dev, r, func(line string) { b.say("%s", line) }, func(p bench.PyTorch) error {
		b.result.PyTorch = append(b.result.PyTorch, p)
		b.say("losses agree: they differ by %.1e of them at most", p.Error)
		b.say("torch: %.2f images/s (PyTorch %s, %s, %s)", p.Theirs, p.Version, p.Variant, p.Threads)
		b.say("dino-vk: %.2f images/s", p.Ours)
		b.reach(p.Goal())
		return b.save()
	})
	if n := len(b.result.PyTorch); n > 0 { // the last are the fastest of both
		b.reach(b.result.PyTorch[n-1].Speed())
	}
	return errors.Join(err, b.save())
}

func (b *benchRun) compareKernels(comparison bench.Comparison, r bench.Recipe) error {
	if !b.wants(benchKernels) {
		return nil
	}
	b.say("kernels of %s beside PyTorch's:", r.Name)
	return comparison.CompareKernels(b.Context.Context, b.dev, r, *b.result.Peaks, kernelsLimit, pairEffort,
		func(p bench.Pair) { b.say("%s", p.Line()) },
		func(pairs []bench.Pair) error {
			b.result.Pairs = append(b.result.Pairs, pairs...)
			b.reach(bench.PairGoals(b.dev.Info().Kind, r.Name, pairs)...)
			return b.save()
		})
}
