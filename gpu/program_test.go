package gpu_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// add records y += x over the first n elements.
func add(g *gpu.Graph, n int, y, x *gpu.Tensor) {
	push := struct{ N uint32 }{uint32(n)}
	g.Dispatch(g.Pick(gpu.Plain("add"), n), gpu.Groups{(n + 255) / 256, 1, 1}, push, y, x)
}

// open is a store and a graph on the shared device.
func open(t *testing.T) (*gpu.Device, *gpu.Store, *gpu.Graph) {
	dev := gputest.Open(t)
	s := gpu.NewStore()
	t.Cleanup(s.Close)
	return dev, s, gpu.NewGraph(dev.Caps())
}

func compile(t *testing.T, dev *gpu.Device, graphs ...*gpu.Graph) []*gpu.Program {
	t.Helper()
	programs, err := gpu.Compile(dev, graphs...)
	must(t, err)
	for _, p := range programs {
		t.Cleanup(p.Close)
	}
	return programs
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, programs ...*gpu.Program) {
	t.Helper()
	for _, p := range programs {
		must(t, p.Run(context.Background()))
	}
}

func ones(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// A kernel that writes beyond its tensor is found, and what it reads there is
// NaN.
func TestGuardBands(t *testing.T) {
	const n = 100
	dev, s, g := open(t)
	y, x, wide := s.Guarded("y", gpu.F32, n), s.Guarded("x", gpu.F32, n), s.New("wide", gpu.F32, 128)
	add(g, n+28, wide, x) // reads behind x
	h := gpu.NewGraph(dev.Caps())
	add(h, n+1, y, wide) // writes behind y
	must(t, s.Allocate(dev))
	programs := compile(t, dev, g, h)
	run(t, programs[0])
	must(t, s.CheckGuards())
	got, err := s.ReadF32(wide)
	must(t, err)
	for i, v := range got {
		if outside := i >= n; math.IsNaN(float64(v)) != outside {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	run(t, programs[1])
	if err := s.CheckGuards(); err == nil || !strings.Contains(err.Error(), "y[100]: element 100") {
		t.Errorf("CheckGuards = %v, want the write to element 100 of y", err)
	}
}

// Programs compiled together share scratch memory and run in the order of
// their submission without a wait between them.
func TestProgramsInOrder(t *testing.T) {
	const n, rounds = 1000, 20
	dev, s, first := open(t)
	x, sum := s.New("x", gpu.F32, n), s.New("sum", gpu.F32, n)
	second := gpu.NewGraph(dev.Caps())
	for _, g := range []*gpu.Graph{first, second} {
		z := g.New("z", gpu.F32, n)
		g.Copy(z, x)
		add(g, n, z, x)
		add(g, n, sum, z)
	}
	must(t, s.Allocate(dev))
	must(t, s.WriteF32(x, ones(n)))
	programs := compile(t, dev, first, second)
	for range rounds {
		slot, err := programs[0].Acquire(context.Background())
		must(t, err)
		for _, p := range programs {
			must(t, p.Submit(slot))
		}
	}
	got, err := s.ReadF32(sum) // after all that was submitted
	must(t, err)
	for i, v := range got {
		if v != 2*2*rounds {
			t.Fatalf("element %d is %v, want %v", i, v, 2*2*rounds)
		}
	}
}

// Every slot has its own copy of a host tensor.
func TestHostSlots(t *testing.T) {
	const n, runs = 300, 7
	dev, s, g := open(t)
	in, out := s.Host("in", gpu.F32, n), s.Host("out", gpu.F32, n)
	sum := s.New("sum", gpu.F32, n)
	add(g, n, sum, in)
	g.Copy(out, sum)
	must(t, s.Allocate(dev))
	p := compile(t, dev, g)[0]
	want := make([]float32, 0, runs)
	total := float32(0)
	var slots []int
	check := func(i int) {
		must(t, p.Wait(context.Background(), slots[i]))
		b := s.Mapped(out, slots[i])
		for e := range n {
			if v := math.Float32frombits(binary.LittleEndian.Uint32(b[4*e:])); v != want[i] {
				t.Fatalf("run %d in slot %d: element %d is %v, want %v", i, slots[i], e, v, want[i])
			}
		}
	}
	for i := range runs {
		slot, err := p.Acquire(context.Background())
		must(t, err)
		value := float32(i + 1)
		for e := range n {
			binary.LittleEndian.PutUint32(s.Mapped(in, slot)[4*e:], math.Float32bits(value))
		}
		must(t, p.Submit(slot))
		total += value
		want, slots = append(want, total), append(slots, slot)
		if i > 0 {
			check(i - 1) // while run i may be under way
		}
	}
	check(runs - 1)
	if slots[0] == slots[1] {
		t.Error("two runs in a row had the same slot")
	}
}

// An ended context ends the wait; the run goes on and can be waited for.
func TestWaitCancelled(t *testing.T) {
	const n = 1 << 20
	dev, s, g := open(t)
	x, y := s.New("x", gpu.F32, n), s.New("y", gpu.F32, n)
	for range 100 {
		add(g, n, y, x)
	}
	must(t, s.Allocate(dev))
	must(t, s.WriteF32(x, ones(n)))
	p := compile(t, dev, g)[0]
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	slot, err := p.Acquire(ctx) // nothing to wait for
	must(t, err)
	must(t, p.Submit(slot))
	if err := p.Submit(slot); err == nil {
		t.Error("a slot was submitted twice")
	}
	// A fast device may have finished already.
	if err := p.Wait(ctx, slot); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, p.Wait(context.Background(), slot))
	got, err := s.ReadF32(y)
	must(t, err)
	if got[n-1] != 100 {
		t.Errorf("the last element is %v, want 100", got[n-1])
	}
}

// Memory is zero after Allocate, is as large as announced, and comes back.
func TestMemory(t *testing.T) {
	dev, s, _ := open(t)
	x := s.New("x", gpu.F32, 3, 1<<20)
	for i := range 50 {
		s.New("small", gpu.F32, i+1)
	}
	s.Host("h", gpu.U32, 999)
	before := dev.MemoryInUse()
	must(t, s.Allocate(dev))
	announced, taken := s.Bytes(), dev.MemoryInUse()-before
	if taken < announced || float64(taken) > 1.01*float64(announced) {
		t.Errorf("announced %d bytes, taken %d", announced, taken)
	}
	if dev.PeakMemory() < dev.MemoryInUse() {
		t.Errorf("peak %d is below use %d", dev.PeakMemory(), dev.MemoryInUse())
	}
	got, err := s.ReadF32(x)
	must(t, err)
	for i, v := range got {
		if v != 0 {
			t.Fatalf("element %d of new memory is %v", i, v)
		}
	}
	// A view crosses the staging buffer's size.
	values := gputest.Normal(1, x.Len())
	must(t, s.WriteF32(x, values))
	row, err := s.ReadF32(x.Rows(2, 1))
	must(t, err)
	for i, v := range row {
		if v != values[2<<20+i] {
			t.Fatalf("element %d of row 2 is %v, want %v", i, v, values[2<<20+i])
		}
	}
	s.Close()
	if left := dev.MemoryInUse(); left != before {
		t.Errorf("%d bytes are in use after Close, before Allocate %d", left, before)
	}
}

func TestOutOfMemory(t *testing.T) {
	dev, s, _ := open(t)
	s.New("huge", gpu.F32, 1<<50)
	err := s.Allocate(dev)
	if !errors.Is(err, gpu.ErrOutOfMemory) || !strings.Contains(err.Error(), "huge") {
		t.Errorf("Allocate = %v, want ErrOutOfMemory that names the tensor", err)
	}
}

func TestNotAllocated(t *testing.T) {
	dev, s, g := open(t)
	x := s.New("x", gpu.F32, 8)
	add(g, 8, x, x)
	if _, err := gpu.Compile(dev, g); err == nil || !strings.Contains(err.Error(), "not allocated") {
		t.Errorf("Compile = %v, want that the store is not allocated", err)
	}
	if s.Mapped(x, 0) != nil {
		t.Error("Mapped of a device tensor is not nil")
	}
}

func TestTimings(t *testing.T) {
	const n = 1 << 16
	dev, s, g := open(t)
	x, y := s.New("x", gpu.F32, n), s.New("y", gpu.F32, n)
	end := g.Scope("outer")
	add(g, n, y, x)
	add(g, n, y, x)
	end()
	g.Fill(x, 0)
	must(t, s.Allocate(dev))
	programs, err := gpu.CompileTraced(dev, g)
	must(t, err)
	p := programs[0]
	defer p.Close()
	run(t, p)
	list, err := p.Timings(0)
	must(t, err)
	if len(list) != 2 || list[0].Scope != "outer" || list[0].Kernel != "add" || list[0].Count != 2 || list[1].Kernel != "fill" {
		t.Fatalf("Timings = %+v", list)
	}
	if list[0].Duration <= 0 {
		t.Errorf("two dispatches took %v", list[0].Duration)
	}
}

// The pipeline cache is written when there is something to keep, not at Close
// only, and read at Open; a damaged one is ignored.
func TestPipelineCache(t *testing.T) {
	gputest.Open(t)
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	cacheDir, err := os.UserCacheDir()
	must(t, err)
	written := func() string {
		files, _ := filepath.Glob(filepath.Join(cacheDir, "dino-vk", "*"))
		if len(files) != 1 || filepath.Ext(files[0]) != ".bin" {
			t.Fatalf("cache files: %v", files)
		}
		return files[0]
	}
	use := func() {
		dev, err := gpu.Open(gpu.Options{})
		must(t, err)
		defer func() {
			must(t, dev.Close())
			for _, m := range dev.ValidationMessages() {
				t.Error(m)
			}
		}()
		s, g := gpu.NewStore(), gpu.NewGraph(dev.Caps())
		defer s.Close()
		x := s.New("x", gpu.F32, 8)
		add(g, 8, x, x)
		must(t, s.Allocate(dev))
		must(t, s.WriteF32(x, ones(8)))
		programs, err := gpu.Compile(dev, g)
		must(t, err)
		defer programs[0].Close()
		written()
		run(t, programs[0])
		if got, err := s.ReadF32(x); err != nil || got[7] != 2 {
			t.Fatal(got, err)
		}
	}
	use()
	use()
	file := written()
	data, err := os.ReadFile(file)
	must(t, err)
	data[len(data)-1] ^= 1
	must(t, os.WriteFile(file, data[:len(data)-1], 0o644))
	use()
}

// Scratch memory larger than a buffer is several buffers.
func TestScratchPieces(t *testing.T) {
	const n = 1024
	dev, s, _ := open(t)
	caps := dev.Caps()
	caps.MaxBuffer = 3 * 4 * n
	g := gpu.NewGraph(caps)
	sum, x := s.New("sum", gpu.F32, n), s.New("x", gpu.F32, n)
	var list []*gpu.Tensor
	for range 10 {
		z := g.New("z", gpu.F32, n)
		g.Copy(z, x)
		for _, earlier := range list {
			add(g, n, z, earlier)
		}
		list = append(list, z)
	}
	for _, z := range list {
		add(g, n, sum, z)
	}
	must(t, s.Allocate(dev))
	must(t, s.WriteF32(x, ones(n)))
	p := compile(t, dev, g)[0]
	if p.ScratchBytes() < 10*4*n {
		t.Fatalf("%d bytes of scratch memory for ten tensors of %d", p.ScratchBytes(), 4*n)
	}
	run(t, p)
	got, err := s.ReadF32(sum)
	must(t, err)
	for i, v := range got { // z_k = 2^k
		if v != 1<<10-1 {
			t.Fatalf("element %d is %v", i, v)
		}
	}
}

// Runs follow each other on the device's clock as they were submitted.
func TestSpan(t *testing.T) {
	const n = 1 << 16
	dev, s, g := open(t)
	x, y := s.New("x", gpu.F32, n), s.New("y", gpu.F32, n)
	add(g, n, y, x)
	must(t, s.Allocate(dev))
	traced, err := gpu.CompileTraced(dev, g)
	must(t, err)
	defer traced[0].Close()
	for _, p := range []*gpu.Program{compile(t, dev, g)[0], traced[0]} {
		last := time.Duration(math.MinInt64)
		for range 5 {
			slot, err := p.Acquire(context.Background())
			must(t, err)
			must(t, p.Submit(slot))
			must(t, p.Wait(context.Background(), slot))
			span, ok, err := p.Span(slot)
			must(t, err)
			if !ok {
				t.Skip("the device has no timestamps")
			}
			if span.Begin < last || span.End <= span.Begin {
				t.Errorf("from %v to %v after %v", span.Begin, span.End, last)
			}
			last = span.End
		}
	}
}
