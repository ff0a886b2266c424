package gpu_test

import (
	"errors"
	"strings"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

func TestShaders(t *testing.T) {
	s, g := gpu.NewStore(), gpu.NewGraph(gpu.MinimalCaps)
	x, y := s.New("x", gpu.F32, 300), s.New("y", gpu.F32, 300)
	add(g, 300, y, x)
	g.Fill(x, 0)
	add(g, 5, y, x) // the same pipeline
	g.Dispatch(g.Pick(gpu.Plain("bench_fma"), nil).With("CHAINS", 2), gpu.Groups{1, 1, 1}, struct{ Rounds uint32 }{1}, x, y)
	must(t, g.Err())
	var names []string
	for _, one := range g.Shaders() {
		names = append(names, one.String())
	}
	if got := strings.Join(names, "; "); got != "add; bench_fma CHAINS=2" {
		t.Error(got)
	}
}

// TestCompileOnly checks that a device opened for compiling tells of shaders
// what its driver tells, and gives no memory.
func TestCompileOnly(t *testing.T) {
	dev := gputest.OpenToCompile(t)
	s := gpu.NewStore()
	s.New("x", gpu.F32, 1)
	if err := s.Allocate(dev); err == nil || dev.MemoryInUse() != 0 {
		t.Errorf("memory of %d bytes, %v", dev.MemoryInUse(), err)
	}
	c, err := dev.Inspect(gpu.Shader{Kernel: "fma", Module: "bench_fma", Spec: gpu.Spec{"CHAINS": 4}})
	if errors.Is(err, gpu.ErrNoStatistics) {
		t.Skip(err)
	}
	must(t, err)
	t.Logf("%+v", c)
	if vector, _ := c.Registers(); vector == 0 || len(c.Statistics) == 0 || c.Spills() < 0 {
		t.Errorf("%+v", c)
	}
	if _, err := dev.Inspect(gpu.Shader{Module: "none"}); err == nil {
		t.Error("no error for a module that does not exist")
	}
}

func TestCompiled(t *testing.T) {
	for _, c := range []struct {
		driver                                        string
		values                                        map[string]float64
		vector, scalar, spills, scratch, shared, code int
	}{
		{"RADV", map[string]float64{
			"SGPRs": 128, "VGPRs": 24, "Spilled SGPRs": 2, "Spilled VGPRs": 3, "Code size": 400, "LDS size": 512, "Scratch size": 64, "Latency": 9,
		}, 24, 128, 5, 64, 512, 400},
		{"NVIDIA", map[string]float64{"Register Count": 40, "Binary Size": 3000, "Stack Size": 16}, 40, 0, 0, 16, 0, 3000},
		{"ANV", map[string]float64{
			"Max live registers": 60, "Spill count": 1, "Fill count": 2, "Scratch Memory Size": 1024, "Workgroup Memory Size": 8192,
		}, 60, 0, 1, 1024, 8192, 0},
	} {
		var all gpu.Compiled
		for name, v := range c.values {
			all.Statistics = append(all.Statistics, gpu.Statistic{Name: name, Value: v})
		}
		vector, scalar := all.Registers()
		got := [...]int{vector, scalar, all.Spills(), all.ScratchBytes(), all.SharedBytes(), all.CodeBytes()}
		if want := [...]int{c.vector, c.scalar, c.spills, c.scratch, c.shared, c.code}; got != want {
			t.Errorf("%s: %v, want %v", c.driver, got, want)
		}
	}
}
