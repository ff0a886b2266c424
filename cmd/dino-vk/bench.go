package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"dino-vk/bench"
	"dino-vk/dino"
	"dino-vk/gpu"
)

// What bench can measure.
const (
	benchPeaks    = "peaks"
	benchSteps    = "steps"
	benchHost     = "host"
	benchKernels  = "kernels"
	benchShaders  = "shaders"
	benchVariants = "variants"
	benchGrowth   = "growth"
)

// How long bench measures one thing, and at most once through all operations
// of a recipe; a step of growth may take as long as growthLimit.
var (
	peakEffort   = bench.Effort{Least: 5, Most: 50, Time: 300 * time.Millisecond}
	kernelEffort = bench.Effort{Least: 3, Most: 50, Time: 300 * time.Millisecond}
	pairEffort   = bench.Effort{Least: 3, Most: 50, Time: 100 * time.Millisecond}
	stepEffort   = bench.Effort{Least: 3, Most: 50, Time: 15 * time.Second}
	hostEffort   = bench.Effort{Least: 3, Most: 50, Time: 5 * time.Second}
	growthEffort = bench.Effort{Least: 2, Most: 20, Time: time.Second}
)

const (
	kernelsLimit = 5 * time.Second
	growthLimit  = 4 * time.Second
)

func benchCommand() *cli.Command {
	parts := []string{benchPeaks, benchSteps, benchHost, benchKernels, benchShaders, benchVariants, benchGrowth}
	usual := parts[:5]                                                               // the last take long
	beside := []string{benchSteps, benchHost, benchPeaks, benchKernels, benchGrowth} // PyTorch
	var recipes []string
	for _, r := range bench.Recipes() {
		recipes = append(recipes, r.Name)
	}
	return &cli.Command{
		Name:     "bench",
		Category: categoryMachine,
		Usage:    "measure a device: its peaks, every kernel, whole training steps",
		Description: "Times every operation of a training step beside the device's measured peaks, whole\n" +
			"steps on crops made beforehand, and how long the host takes and the device waits;\n" +
			"shaders are the registers, spills and memory of every shader, as the driver's\n" +
			"compiler tells them. Only if asked for: every variant of the kernels, and how a\n" +
			"step's time grows with its size. Writes a .json and a .md file and a picture named\n" +
			"after the device. What an earlier run measured and this one does not is kept.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "only", Usage: "measure only some `PARTS` of " + strings.Join(parts, ",")},
			&cli.StringFlag{Name: "recipe", Usage: "only some `NAMES` of " + strings.Join(recipes, ",")},
			&cli.IntFlag{Name: "batch-size", Usage: "`N` images of a whole step; 0 is the recipe's"},
			&cli.StringFlag{Name: "precision", Value: dino.AutoPrecision, Usage: "`NAME` of what whole steps compute in: " + strings.Join(dino.Precisions(), ", ")},
			&cli.BoolFlag{Name: "torch", Usage: "compare steps and kernels of one recipe, small if --recipe says no other, with PyTorch, and print a ratio for everything that there is a goal for"},
			&cli.StringFlag{Name: "python", Usage: "Python `INTERPRETER` that has PyTorch; empty tries python3 and /usr/bin/python3"},
			&cli.IntFlag{Name: "torch-steps", Value: 10, Usage: "`N` steps of each program in each of two turns of --torch"},
			&cli.PathFlag{Name: "output", Value: "bench/results", Usage: "`FOLDER` of the results"},
			&cli.StringFlag{Name: "device", Usage: "Vulkan device by index, part of its `NAME`, or UUID; empty takes the best"},
		},
		Action: func(c *cli.Context) error {
			if err := errors.Join(noArguments(c), atLeast(c, "torch-steps", 1)); err != nil {
				return err
			}
			all, otherwise := parts, usual
			if c.Bool("torch") {
				all, otherwise = beside, beside
			}
			only, err := choice(c, "only", all, otherwise)
			if err != nil {
				return err
			}
			chosen, err := choice(c, "recipe", recipes, recipes[:2])
			if err != nil {
				return err
			}
			if c.Bool("torch") && !c.IsSet("recipe") {
				chosen = chosen[:1]
			}
			return runBench(c, only, chosen)
		},
	}
}

// choice is the list that a flag gives, or otherwise if it is empty.
func choice(c *cli.Context, flag string, all, otherwise []string) ([]string, error) {
	if c.String(flag) == "" {
		return otherwise, nil
	}
	list := strings.Split(c.String(flag), ",")
	for _, name := range list {
		if !slices.Contains(all, name) {
			return nil, usagef(c, "--%s %s: there are %s", flag, name, strings.Join(all, ","))
		}
	}
	return list, nil
}

// findRecipe is the named recipe with the batch that --batch-size says.
func findRecipe(c *cli.Context, name string) (bench.Recipe, error) {
	r, err := bench.FindRecipe(name)
	n := c.Int("batch-size")
	if n < 0 {
		return r, fmt.Errorf("--batch-size %d: must be positive", n)
	}
	if n > 0 {
		r = r.WithBatch(n)
	}
	return r.WithPrecision(c.String("precision")), err
}

// benchRun is a run of bench.
type benchRun struct {
	*cli.Context
	dev     *gpu.Device
	parts   []string
	recipes []bench.Recipe
	result  *bench.Result
	path    string // of the readable result, once written
}

// runBench measures parts of the recipes and writes the result.
func runBench(c *cli.Context, parts, recipes []string) (err error) {
	b := benchRun{Context: c, parts: parts}
	for _, name := range recipes {
		r, err := findRecipe(c, name)
		if err != nil {
			return err
		}
		b.recipes = append(b.recipes, r)
	}
	onlyShaders := slices.Equal(parts, []string{benchShaders})
	if b.dev, err = openDevice(c, gpu.Options{Device: c.String("device"), CompileOnly: onlyShaders}, false); err != nil {
		return err
	}
	defer closeDevice(b.dev, &err)
	b.result = bench.NewResult(b.dev.Info(), b.dev.Faults())
	b.say("%s, %s", b.dev.Info().Name, b.dev.Info().DriverVersion)
	measure := b.measure
	if c.Bool("torch") {
		measure = b.compare
	}
	if err := measure(); err != nil {
		return err
	}
	b.say("results are in %s", b.path)
	return bench.CheckSpills(b.result.Shaders)
}

// save writes what was measured until now: whatever ends the rest, it is not lost.
func (b *benchRun) save() (err error) {
	b.path, err = b.result.Write(b.Path("output"))
	return err
}

func (b *benchRun) say(format string, args ...any) { fmt.Fprintf(b.App.Writer, format+"\n", args...) }

func (b *benchRun) wants(part string) bool { return slices.Contains(b.parts, part) }

// peaks measures them where one of the parts needs them.
func (b *benchRun) peaks(parts ...string) error {
	if !slices.ContainsFunc(parts, b.wants) {
		return nil
	}
	p, err := bench.MeasurePeaks(b.Context.Context, b.dev, peakEffort)
	if err != nil {
		return err
	}
	b.result.Peaks = &p
	b.say("peaks: %v", b.result.Peaks)
	return b.save()
}

// measure measures this program alone.
func (b *benchRun) measure() error {
	if err := b.peaks(benchPeaks, benchKernels, benchVariants); err != nil {
		return err
	}
	for _, r := range b.recipes {
		if b.wants(benchSteps) {
			s, err := bench.MeasureSteps(b.Context.Context, b.dev, r, stepEffort)
			if err != nil {
				return err
			}
			b.result.Steps = append(b.result.Steps, s)
			b.say("step: %v", s)
			if err := b.save(); err != nil {
				return err
			}
		}
		for _, part := range []func(bench.Recipe) error{b.host, b.kernels, b.variants, b.growth} {
			if err := part(r); err != nil {
				return err
			}
		}
	}
	return b.shaders()
}

func (b *benchRun) host(r bench.Recipe) error {
	if !b.wants(benchHost) {
		return nil
	}
	h, err := bench.MeasureHost(b.Context.Context, b.dev, r, hostEffort)
	if err != nil {
		return err
	}
	b.result.Host = append(b.result.Host, h)
	b.say("host: %v", h)
	return b.save()
}

func (b *benchRun) kernels(r bench.Recipe) error {
	if !b.wants(benchKernels) {
		return nil
	}
	b.say("kernels of %s:", r.Name)
	list, err := bench.MeasureKernels(b.Context.Context, b.dev, r, *b.result.Peaks, kernelsLimit, kernelEffort, func(k bench.Kernel) {
		b.say("%s", k.Line(b.result.Peaks))
	})
	b.result.Kernels = append(b.result.Kernels, list...)
	return errors.Join(err, b.save())
}

func (b *benchRun) variants(r bench.Recipe) error {
	if !b.wants(benchVariants) {
		return nil
	}
	b.say("variants of the kernels of %s:", r.Name)
	list, err := bench.MeasureVariants(b.Context.Context, b.dev, r, *b.result.Peaks, kernelsLimit, pairEffort, func(v bench.Variant) {
		b.say("%s", v.Line(b.result.Peaks))
	})
	b.result.Variants = append(b.result.Variants, list...)
	return errors.Join(err, b.save())
}

func (b *benchRun) growth(r bench.Recipe) error {
	if !b.wants(benchGrowth) {
		return nil
	}
	b.say("steps of %s by size:", r.Name)
	list, err := bench.MeasureGrowth(b.Context.Context, b.dev, r, growthLimit, growthEffort, func(s bench.SizeTime) { b.say("%v", s) })
	for _, g := range list {
		b.result.Growth = append(b.result.Growth, g)
		b.say("growth: %v", g)
	}
	return errors.Join(err, b.save())
}

func (b *benchRun) shaders() error {
	if !b.wants(benchShaders) {
		return nil
	}
	b.say("shaders:")
	var err error
	b.result.Shaders, err = bench.InspectShaders(b.Context.Context, b.dev)
	for _, s := range b.result.Shaders {
		b.say("%s", s.Line())
	}
	if errors.Is(err, gpu.ErrNoStatistics) && len(b.parts) > 1 {
		b.say("%v", err)
		return nil
	}
	if err == nil {
		b.say("%s", bench.SumUpShaders(b.result.Shaders))
	}
	return errors.Join(err, b.save())
}
