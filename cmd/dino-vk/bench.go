package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"dino-vk/bench"
	"dino-vk/gpu"
)

// What bench can measure.
const (
	benchPeaks   = "peaks"
	benchKernels = "kernels"
	benchSteps   = "steps"
	benchShaders = "shaders"
)

// How long bench measures one thing, and at most once through all operations
// of a recipe.
var (
	peakEffort   = bench.Effort{Least: 5, Most: 50, Time: 300 * time.Millisecond}
	kernelEffort = bench.Effort{Least: 3, Most: 50, Time: 300 * time.Millisecond}
	stepEffort   = bench.Effort{Least: 3, Most: 50, Time: 15 * time.Second}
)

const kernelsLimit = 5 * time.Second

func benchCommand() *cli.Command {
	parts := []string{benchPeaks, benchKernels, benchSteps, benchShaders}
	var recipes []string
	for _, r := range bench.Recipes() {
		recipes = append(recipes, r.Name)
	}
	return &cli.Command{
		Name:     "bench",
		Category: categoryMachine,
		Usage:    "measure a device: its peaks, every kernel, whole training steps",
		Description: "Times every operation of a training step beside the device's measured peaks, and\n" +
			"whole steps on crops made beforehand; writes a .json and a .md file named after\n" +
			"the device. shaders are the registers, spills and memory of every shader, as the\n" +
			"driver's compiler tells them. What an earlier run measured and this one does not is kept there.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "only", Usage: "measure only some `PARTS` of " + strings.Join(parts, ",")},
			&cli.StringFlag{Name: "recipe", Usage: "only some `NAMES` of " + strings.Join(recipes, ",")},
			&cli.IntFlag{Name: "batch-size", Usage: "`N` images of a whole step; 0 is the recipe's"},
			&cli.BoolFlag{Name: "torch", Usage: "only compare whole steps with PyTorch, of the recipe small unless --recipe says another"},
			&cli.StringFlag{Name: "python", Usage: "Python `INTERPRETER` that has PyTorch; empty tries python3 and /usr/bin/python3"},
			&cli.IntFlag{Name: "torch-steps", Value: 10, Usage: "`N` steps of each program in each of two turns of --torch"},
			&cli.PathFlag{Name: "output", Value: "bench/results", Usage: "`FOLDER` of the results"},
			&cli.StringFlag{Name: "device", Usage: "Vulkan device by index, part of its `NAME`, or UUID; empty takes the best"},
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			only, err := choice(c, "only", parts)
			if err != nil {
				return err
			}
			chosen, err := choice(c, "recipe", recipes)
			if err != nil {
				return err
			}
			if c.Bool("torch") {
				if !c.IsSet("recipe") {
					chosen = chosen[:1]
				}
				return compareTorch(c, chosen)
			}
			return measure(c, only, chosen)
		},
	}
}

// choice is the list that a flag gives, all if it is empty.
func choice(c *cli.Context, flag string, all []string) ([]string, error) {
	if c.String(flag) == "" {
		return all, nil
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
	return r, err
}

// compareTorch runs whole steps here and in PyTorch and writes the result. Its
// last lines are the ratios of the two speeds: step of PyTorch in plain float32,
// step-eager and step-compiled of its faster variants.
func compareTorch(c *cli.Context, recipes []string) (err error) {
	if len(recipes) != 1 || c.IsSet("only") {
		return errors.New("--torch compares whole steps of one --recipe, and nothing else")
	}
	if c.Int("torch-steps") < 1 {
		return fmt.Errorf("--torch-steps %d: must be positive", c.Int("torch-steps"))
	}
	r, err := findRecipe(c, recipes[0])
	if err != nil {
		return err
	}
	comparison := bench.Comparison{Python: []string{"python3", "/usr/bin/python3"}, Steps: c.Int("torch-steps"), Rounds: 2}
	if python := c.String("python"); python != "" {
		comparison.Python = []string{python}
	}
	dev, err := gpu.Open(gpu.Options{Device: c.String("device")})
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	w, result := c.App.Writer, bench.NewResult(dev.Info())
	fmt.Fprintf(w, "%s, %s\n", dev.Info().Name, dev.Info().DriverVersion)
	compared, err := comparison.Compare(c.Context, dev, r, func(line string) { fmt.Fprintln(w, line) })
	if err != nil {
		return err
	}
	result.PyTorch = compared
	path, err := result.Write(c.Path("output"))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "results are in %s\n", path)
	for _, p := range compared {
		name := "step"
		if p.Variant != bench.Plain {
			name += "-" + p.Variant
		}
		fmt.Fprintf(w, "losses agree: they differ by %.1e of them at most\n", p.Error)
		fmt.Fprintf(w, "torch: %.2f images/s (PyTorch %s, %s, %s)\n", p.Theirs, p.Version, p.Variant, p.Threads)
		fmt.Fprintf(w, "dino-vk: %.2f images/s\n", p.Ours)
		fmt.Fprintf(w, "ratio: %s=%.3f\n", name, p.Ratio())
	}
	return nil
}

// measure measures parts of the recipes and writes the result.
func measure(c *cli.Context, parts, recipes []string) (err error) {
	onlyShaders := slices.Equal(parts, []string{benchShaders})
	dev, err := gpu.Open(gpu.Options{Device: c.String("device"), CompileOnly: onlyShaders})
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	w, result := c.App.Writer, bench.NewResult(dev.Info())
	fmt.Fprintf(w, "%s, %s\n", dev.Info().Name, dev.Info().DriverVersion)
	if slices.Contains(parts, benchPeaks) || slices.Contains(parts, benchKernels) {
		peaks, err := bench.MeasurePeaks(c.Context, dev, peakEffort)
		if err != nil {
			return err
		}
		result.Peaks = &peaks
		fmt.Fprintln(w, "peaks:", result.Peaks)
	}
	for _, name := range recipes {
		r, err := findRecipe(c, name)
		if err != nil {
			return err
		}
		if slices.Contains(parts, benchSteps) {
			s, err := bench.MeasureSteps(c.Context, dev, r, stepEffort)
			if err != nil {
				return err
			}
			result.Steps = append(result.Steps, s)
			fmt.Fprintln(w, "step:", s)
		}
		if slices.Contains(parts, benchKernels) {
			fmt.Fprintf(w, "kernels of %s:\n", name)
			list, err := bench.MeasureKernels(c.Context, dev, r, *result.Peaks, kernelsLimit, kernelEffort, func(k bench.Kernel) {
				fmt.Fprintln(w, k.Line(result.Peaks))
			})
			if err != nil {
				return err
			}
			result.Kernels = append(result.Kernels, list...)
		}
	}
	if slices.Contains(parts, benchShaders) {
		fmt.Fprintln(w, "shaders:")
		result.Shaders, err = bench.InspectShaders(c.Context, dev, func(s bench.CompiledShader) { fmt.Fprintln(w, s.Line()) })
		if errors.Is(err, gpu.ErrNoStatistics) && !onlyShaders {
			fmt.Fprintln(w, err)
		} else if err != nil {
			return err
		}
	}
	path, err := result.Write(c.Path("output"))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "results are in", path)
	return bench.CheckSpills(result.Shaders)
}
