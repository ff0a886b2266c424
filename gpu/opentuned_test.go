package gpu_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// count is the number of elements of a sum.
type count int

func (n count) Shape() (string, gpu.Type) { return fmt.Sprint(int(n)), gpu.F32 }

// planted is a kernel y += x of which the first variant computes y = x.
var planted = &gpu.Kernel{Name: "planted", Variants: []gpu.Variant{
	{Module: "cast_vec4"}, {Module: "add_vec4"}, {Module: "add"},
}}

// sum records y += x by the planted kernel.
func sum(g *gpu.Graph, y, x *gpu.Tensor) {
	sh := g.Pick(planted, count(y.Len()))
	g.Dispatch(sh, gpu.Groups{(y.Len() + 255) / 256, 1, 1}, struct{ N uint32 }{uint32(y.Len())}, y, x)
}

// recordSum records a sum of n elements.
func recordSum(g *gpu.Graph, n int) {
	s := gpu.NewStore()
	sum(g, s.New("y", gpu.F32, n), s.New("x", gpu.F32, n))
}

// tuned opens a device whose cache is kept in dir.
func tuned(t *testing.T, again bool, tested *int) *gpu.Device {
	t.Helper()
	d, err := gpu.OpenTuned(context.Background(), gpu.Options{}, again, func(g *gpu.Graph) {
		*tested++
		recordSum(g, 1000)
	})
	must(t, err)
	t.Cleanup(func() {
		must(t, d.Close())
		for _, m := range d.ValidationMessages() {
			t.Errorf("validation: %s", m)
		}
	})
	return d
}

// A variant that computes something else is found, switched off, and remembered;
// what is timed is remembered too.
func TestOpenTuned(t *testing.T) {
	gputest.Open(t) // skips without a device
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DINOVK_TUNE", "1")
	tested := 0
	record := func(caps gpu.Caps) ([]*gpu.Graph, error) {
		g := gpu.NewGraph(caps)
		recordSum(g, 5000)
		recordSum(g, 70000)
		return []*gpu.Graph{g}, g.Err()
	}
	var told []gpu.Tuned
	tune := func(d *gpu.Device) {
		t.Helper()
		must(t, d.Tune(context.Background(), record, time.Minute, func(x gpu.Tuned) { told = append(told, x) }))
	}

	d := tuned(t, false, &tested)
	faults := d.Faults()
	if len(faults) != 1 || faults[0].Variant != "cast_vec4" || tested == 0 {
		t.Fatalf("faults %v after %d recordings", faults, tested)
	}
	t.Log(faults)
	s := gpu.NewStore()
	defer s.Close()
	y, x := s.New("y", gpu.F32, 64), s.New("x", gpu.F32, 64)
	g := gpu.NewGraph(d.Caps())
	sum(g, y, x)
	must(t, s.Allocate(d))
	must(t, s.WriteF32(x, gputest.Normal(1, 64)))
	programs := compile(t, d, g)
	run(t, programs[0], programs[0])
	values, err := s.ReadF32(y)
	must(t, err)
	for i, v := range gputest.Normal(1, 64) {
		if values[i] != 2*v {
			t.Fatalf("element %d is %v, want %v", i, values[i], 2*v)
		}
	}

	tune(d)
	if len(told) != 2 || told[0].Problem != "planted 70000" || told[1].Problem != "planted 5000" {
		t.Fatalf("tuned %v", told)
	}
	for _, x := range told {
		if len(x.Variants) != 2 || x.Variants[0].Time <= 0 || x.Variants[1].Time <= 0 {
			t.Errorf("timed %v", x)
		}
	}
	graphs, err := record(d.Caps())
	must(t, err)
	chosen := map[string]string{told[0].Problem: told[0].Chosen, told[1].Problem: told[1].Chosen}
	if got := gpu.Chosen(graphs...); !maps.Equal(got, chosen) {
		t.Errorf("recorded with %v, want %v", got, chosen)
	}

	// Another program finds all that on the disk, one that asks again does not.
	before := tested
	told = nil
	d = tuned(t, false, &tested)
	tune(d)
	if got := d.Faults(); tested != before || len(told) > 0 || len(got) != 1 || got[0] != faults[0] {
		t.Errorf("the second time: %d recordings, tuned %v, faults %v", tested-before, told, got)
	}
	graphs, err = record(d.Caps())
	must(t, err)
	if got := gpu.Chosen(graphs...); !maps.Equal(got, chosen) {
		t.Errorf("the second time recorded with %v, want %v", got, chosen)
	}
	tune(tuned(t, true, &tested))
	if tested == before || len(told) != 2 {
		t.Errorf("again: %d recordings, tuned %v", tested-before, told)
	}
}

// Where it is not wanted nothing is tested and the first variant is taken, unless
// that rests on what Vulkan leaves open: then it is tested, once, but with
// DINOVK_TUNE=0.
func TestNotTuned(t *testing.T) {
	info := gputest.Open(t).Info()
	all, unpromised := planted.Variants, *gpu.Unpromised
	defer func() { planted.Variants, *gpu.Unpromised = all, unpromised }()
	*gpu.Unpromised = gpu.TimelineSemaphore
	planted.Variants = append([]gpu.Variant{{Module: "cast_vec4", Needs: gpu.TimelineSemaphore}}, all[1:]...)
	for value, want := range map[string]struct{ tested, chosen bool }{
		"0": {},
		"":  {tested: info.Kind != gpu.CPU || info.Features&gpu.TimelineSemaphore != 0, chosen: info.Kind != gpu.CPU},
	} {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		t.Setenv("DINOVK_TUNE", value)
		for start := range 2 {
			tested := 0
			d := tuned(t, false, &tested)
			if (tested > 0) != (want.tested && start == 0) || len(d.Faults()) > 0 != want.tested {
				t.Errorf("DINOVK_TUNE=%q, start %d: %d recordings, faults %v", value, start, tested, d.Faults())
			}
			must(t, d.Tune(context.Background(), func(caps gpu.Caps) ([]*gpu.Graph, error) {
				g := gpu.NewGraph(caps)
				recordSum(g, 5000)
				return []*gpu.Graph{g}, g.Err()
			}, time.Minute, nil))
			if choices := d.Caps().Choices; (choices != nil && len(choices.Fastest) > 0) != want.chosen {
				t.Errorf("DINOVK_TUNE=%q: choices %v", value, choices)
			}
		}
	}
}
