package bench

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
	"dino-vk/shaders"
)

// CompiledShader is what the device's compiler made of a shader. A number that
// the driver does not tell is 0.
type CompiledShader struct {
	Kernel       string `json:"kernel"`
	Shader       string `json:"shader"` // the module and its specialization constants
	Use          string `json:"use"`
	SubgroupSize uint32 `json:"subgroup_size"`
	Vector       int    `json:"vector_registers"`
	Scalar       int    `json:"scalar_registers"`
	Spills       int    `json:"spills"`        // registers
	ScratchBytes int    `json:"scratch_bytes"` // of a subgroup, or as the driver counts
	SharedBytes  int    `json:"shared_bytes"`
	CodeBytes    int    `json:"code_bytes"`
}

// What shaders are used for, the most important first.
const (
	Picked  = "picked"  // this device runs it in training by a recipe
	Fitting = "fitting" // another variant of a kernel, which it might
	Masked  = "masked"  // it would, had it fewer features
	Unused  = "unused"  // no GPU runs it: the module without any recipe's constants
)

// use is a shader and what it is used for.
type use struct {
	shader gpu.Shader
	what   string
}

// shadersOf lists the shaders that trainings by all recipes run on a device of
// these capabilities, each once.
func shadersOf(caps gpu.Caps) ([]gpu.Shader, error) {
	var list []gpu.Shader
	seen := map[string]bool{}
	add := func(g *gpu.Graph) {
		for _, s := range g.Shaders() {
			if !seen[s.String()] {
				seen[s.String()] = true
				list = append(list, s)
			}
		}
	}
	err := eachRecording(func(record gpu.Recorder) error {
		graphs, err := record(caps)
		if err == nil {
			add(graphs[0])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	const images = 10_000 // of which a recipe may make something
	for _, r := range dino.Recipes {
		c, err := r.Configure(images, nil)
		if err != nil {
			return nil, err
		}
		for _, c.Precision = range []string{dino.FP32, dino.FP16, dino.BF16} {
			if c.Validate() != nil {
				continue // a ResNet has no such precision
			}
			graphs, err := stepGraphs(c, caps)
			if errors.Is(err, gpu.ErrOutOfMemory) {
				continue // a device so small does not train it
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Name, err)
			}
			for _, g := range graphs {
				add(g)
			}
		}
	}
	return list, nil
}

// eachRecording gives every operation of the recipes measured here, in all types.
func eachRecording(f func(gpu.Recorder) error) error {
	for _, r := range append(Recipes(), Recipe{"odd", odd()}) {
		types := []gpu.Type{gpu.F32, gpu.F16, gpu.BF16}
		if r.Name == "odd" {
			types = types[:1]
		}
		for _, o := range operations(r.Config) {
			for _, typ := range types {
				if err := f(o.recording(typ, false)); err != nil {
					return fmt.Errorf("%s, %s: %w", r.Name, o.name, err)
				}
			}
		}
	}
	return nil
}

// variantsOf lists the shaders of all variants that fit the recipes' operations
// on a device of these capabilities.
func variantsOf(caps gpu.Caps) (list []gpu.Shader, err error) {
	return list, eachRecording(func(record gpu.Recorder) error {
		tasks, err := gpu.Tasks(caps, record)
		if err != nil {
			return err
		}
		all := passes{"": tasks}
		for i := range all.most("") {
			caps.Choices = all.take(i)
			graphs, err := record(caps)
			if err != nil {
				return err
			}
			list = append(list, graphs[0].Shaders()...)
		}
		return nil
	})
}

// odd is a network whose sizes are no multiples of four.
func odd() dino.Config {
	c := small()
	c.Dim, c.Depth, c.Heads = 42, 1, 3
	c.HeadHiddenDim, c.HeadBottleneckDim, c.OutDim = 51, 30, 1001
	return c
}

// stepGraphs records a training step that makes its own crops.
func stepGraphs(c dino.Config, caps gpu.Caps) ([]*gpu.Graph, error) {
	step, _, _, err := wholeStep(c, caps, gpu.NewStore())
	if err != nil {
		return nil, err
	}
	return step.Graphs(), nil
}

// wholeStep is a training step that makes its own crops, of the pictures that the
// table lists.
func wholeStep(c dino.Config, caps gpu.Caps, store *gpu.Store) (step *dino.Step, pictures, table *gpu.Tensor, err error) {
	words := (3*c.ImageSize*c.ImageSize/4 + 63) / 64 * 64
	pictures, table = store.New("pictures", gpu.U32, c.BatchSize, words), store.New("table", gpu.U32, c.BatchSize, 4)
	step, err = dino.NewStep(c, caps, store, func(g *gpu.Graph, params *gpu.Tensor) dino.Views {
		a := op.DefaultAugmentation()
		a.Locals, a.GlobalSize, a.LocalSize = c.LocalCropsNumber, c.ImageSize, c.LocalSize
		crops := op.Augment(g, a, pictures, table, params)
		return dino.Views{Globals: crops.Globals, Locals: crops.Locals, Table: table}
	})
	return step, pictures, table, err
}

// allShaders lists the shaders that recipes run on a device as it is, those of the
// other variants that fit, those that they would run if it lacked one of its features, all of them, or large texel
// buffers, and every other module that it can run.
func allShaders(caps gpu.Caps) ([]use, error) {
	var list []use
	seen, modules := map[string]bool{}, map[string]bool{}
	add := func(s gpu.Shader, what string) {
		if !seen[s.String()] {
			seen[s.String()], modules[s.Module] = true, true
			list = append(list, use{s, what})
		}
	}
	masks := []gpu.Features{0}
	for left := caps.Features; left != 0; left &= left - 1 {
		masks = append(masks, 1<<bits.TrailingZeros32(uint32(left)))
	}
	masks = append(masks, caps.Features)
	for i, mask := range masks {
		for _, texels := range []uint32{caps.MaxTexels, gpu.MinimalCaps.MaxTexels} {
			less, what := caps, Masked
			less.Features &^= mask
			less.MaxTexels = texels
			if i == 0 && texels == caps.MaxTexels {
				what = Picked
			}
			found, err := shadersOf(less)
			if err != nil {
				return nil, err
			}
			for _, s := range found {
				add(s, what)
			}
			if what != Picked {
				continue
			}
			if found, err = variantsOf(caps); err != nil {
				return nil, err
			}
			for _, s := range found {
				add(s, Fitting)
			}
		}
	}
	for _, name := range shaders.Names() {
		needs, err := gpu.Needs(name)
		if err != nil {
			return nil, err
		}
		if !modules[name] && needs&^caps.Features == 0 {
			add(gpu.Shader{Kernel: name, Module: name}, Unused)
		}
	}
	return list, nil
}

// InspectShaders compiles all shaders, in all specializations that recipes use.
// The error may be gpu.ErrNoStatistics.
func InspectShaders(ctx context.Context, dev *gpu.Device) ([]CompiledShader, error) {
	if _, err := dev.Inspect(gpu.Shader{Kernel: "add", Module: "add"}); errors.Is(err, gpu.ErrNoStatistics) {
		return nil, fmt.Errorf("bench: %w", err) // before everything is recorded
	}
	list, err := allShaders(dev.Caps())
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	all, errs := make([]CompiledShader, len(list)), make([]error, len(list))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				all[i], errs[i] = list[i].compile(dev)
			}
		})
	}
	workers.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return all, nil
}

func (u use) compile(dev *gpu.Device) (CompiledShader, error) {
	made, err := dev.Inspect(u.shader)
	c := CompiledShader{
		Kernel: u.shader.Kernel, Shader: u.shader.String(), Use: u.what, SubgroupSize: made.SubgroupSize,
		Spills: made.Spills(), ScratchBytes: made.ScratchBytes(), SharedBytes: made.SharedBytes(), CodeBytes: made.CodeBytes(),
	}
	c.Vector, c.Scalar = made.Registers()
	return c, err
}

// ErrSpills says that the compiler had too few registers for a shader that
// recipes run.
var ErrSpills = errors.New("registers are spilled")

// CheckSpills is ErrSpills if one of the picked shaders spills registers.
func CheckSpills(list []CompiledShader) error {
	var names []string
	for _, c := range list {
		if c.Use == Picked && c.Spills > 0 {
			names = append(names, c.Shader)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("bench: %w by %s", ErrSpills, strings.Join(names, "; "))
}

// SumUpShaders says how many shaders of each use spill registers.
func SumUpShaders(list []CompiledShader) string {
	var words []string
	for _, what := range []string{Picked, Fitting, Masked, Unused} {
		all, spill := 0, 0
		for _, c := range list {
			if c.Use == what {
				all++
				spill += min(c.Spills, 1)
			}
		}
		words = append(words, fmt.Sprintf("of %d %s %d spill registers", all, what, spill))
	}
	return strings.Join(words, ", ")
}

// Line says in columns what came of a shader.
func (c CompiledShader) Line() string {
	return fmt.Sprintf("%-7s %3d lanes %4d vector %4d scalar %4d spilled %6d scratch %6d shared %6d code  %s",
		c.Use, c.SubgroupSize, c.Vector, c.Scalar, c.Spills, c.ScratchBytes, c.SharedBytes, c.CodeBytes, c.Shader)
}
