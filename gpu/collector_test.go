package gpu

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"dino-vk/gpu/gputest/again"

	vulkan "github.com/vulkan-go/vulkan"
)

// naive names the environment variable that makes TestNaiveBinding run.
const naive = "DINOVK_TEST_NAIVE_BINDING"

// collect keeps the garbage collector busy until the returned function is
// called: ordinary allocations in two goroutines, collections in a third.
func collect() (stop func()) {
	done := make(chan struct{})
	for range 2 {
		go func() {
			var keep [16][]byte
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					keep[i%len(keep)] = make([]byte, 150<<10)
				}
			}
		}()
	}
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	}()
	return func() { close(done) }
}

// forever is a program that adds 1 to y, with its pieces for the tests below.
type forever struct {
	d      *Device
	s      *Store
	p      *Program
	y      *Tensor
	module *module
	shader Shader
	n      int
}

func newForever(t *testing.T) *forever {
	d, err := Open(Options{})
	if err != nil {
		if os.Getenv("DINOVK_REQUIRE_GPU") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	f := &forever{d: d, s: NewStore(), n: 256}
	g := NewGraph(d.Caps())
	x := f.s.New("x", F32, f.n)
	f.y = f.s.New("y", F32, f.n)
	f.shader = g.Pick(Plain("add"), nil)
	g.Fill(x, math.Float32bits(1))
	g.Dispatch(f.shader, Groups{1, 1, 1}, struct{ N uint32 }{uint32(f.n)}, f.y, x)
	if f.module, err = loadModule("add"); err != nil {
		t.Fatal(err)
	}
	if err := f.s.Allocate(d); err != nil {
		t.Fatal(err)
	}
	programs, err := Compile(d, g)
	if err != nil {
		t.Fatal(err)
	}
	f.p = programs[0]
	return f
}

func (f *forever) close(t *testing.T) {
	f.p.Close()
	f.s.Close()
	if err := f.d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.d.ValidationMessages() {
		t.Error(m)
	}
}

// Submitting, updating descriptors and creating pipelines go on while the
// garbage collector runs all the time. Through the binding's own functions the
// same calls crash within seconds on most runs: see the log of -v.
func TestCollectorRace(t *testing.T) {
	f := newForever(t)
	defer f.close(t)
	stop := collect()
	defer stop()
	scratch, err := f.d.newCommands(f.d.family, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.close()
	runs := 0
	for end := time.Now().Add(time.Second); runs < 10 || runs < 2000 && time.Now().Before(end); runs++ {
		// Encoding the graph again updates descriptor sets and records barriers.
		extra := &Program{dev: f.d, shared: &shared{open: 1}, plan: f.p.plan, graph: f.p.graph}
		if err := extra.encode(false); err != nil {
			t.Fatal(err)
		}
		extra.Close()
		made, err := f.d.build(f.d.pipelines.cache, f.module, f.shader, 0)
		if err != nil {
			t.Fatal(err)
		}
		made.destroy(f.d)
		if err := f.p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.s.ReadF32(f.y)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != float32(runs) {
			t.Fatalf("element %d is %v after %d runs", i, v, runs)
		}
	}
	t.Logf("%d rounds under collection", runs)
	if testing.Verbose() {
		logNaive(t)
	}
}

// logNaive says how the same fares through the binding's functions.
func logNaive(t *testing.T) {
	const tries = 3
	crashes := 0
	for range tries {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		cmd := again.Command(ctx, t, "-test.run=^TestNaiveBinding$")
		cmd.Env = append(os.Environ(), naive+"=1", "GOTRACEBACK=none")
		err := cmd.Run()
		cancel()
		const crashed = 2 // the Go runtime's exit status; a failed test's is 1
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit) && exit.ExitCode() == crashed:
			crashes++
		case err != nil:
			t.Logf("naive process: %v", err)
		}
	}
	t.Logf("through the binding's own functions %d of %d processes crashed", crashes, tries)
}

// TestNaiveBinding does what TestCollectorRace does through the functions of
// the binding that free their arguments too early. It runs only in the
// processes that logNaive starts.
func TestNaiveBinding(t *testing.T) {
	if os.Getenv(naive) != "1" {
		t.Skip("runs in a process of its own: TestCollectorRace")
	}
	f := newForever(t)
	stop := collect()
	defer stop()
	code := make([]uint32, len(f.module.code)/4)
	for i := range code {
		code[i] = binary.LittleEndian.Uint32(f.module.code[4*i:])
	}
	info := vulkan.ShaderModuleCreateInfo{
		SType: vulkan.StructureTypeShaderModuleCreateInfo, CodeSize: uint(len(f.module.code)), PCode: code,
	}
	var shader vulkan.ShaderModule
	if err := check("module", vulkan.CreateShaderModule(f.d.handle, &info, nil, &shader)); err != nil {
		t.Fatal(err)
	}
	made, err := f.d.pipelines.get(f.d, f.module, f.shader)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		list := make([]vulkan.Pipeline, 1)
		r := vulkan.CreateComputePipelines(f.d.handle, f.d.pipelines.cache, 1, []vulkan.ComputePipelineCreateInfo{{
			SType: vulkan.StructureTypeComputePipelineCreateInfo,
			Stage: vulkan.PipelineShaderStageCreateInfo{
				SType: vulkan.StructureTypePipelineShaderStageCreateInfo, Stage: vulkan.ShaderStageComputeBit,
				Module: shader, PName: "main\x00",
			},
			Layout: made.layout, BasePipelineIndex: -1,
		}}, nil, list)
		if err := check("pipeline", r); err != nil {
			t.Fatal(err)
		}
		vulkan.DestroyPipeline(f.d.handle, list[0], nil)
		batch := make([]vulkan.SubmitInfo, 64)
		for i := range batch {
			batch[i].SType = vulkan.StructureTypeSubmitInfo
		}
		if err := check("submit", vulkan.QueueSubmit(f.d.queue, uint32(len(batch)), batch, vulkan.Fence(vulkan.NullHandle))); err != nil {
			t.Fatal(err)
		}
	}
}
