package gpu

import (
	"context"
	"os"
	"strings"
	"testing"

	"dino-vk/gpu/internal/vk"
)

// openValidated is a device of its own with the validation layer, which must
// be installed where tests may not be skipped.
func openValidated(t *testing.T) *Device {
	t.Helper()
	skip := t.Skip
	if os.Getenv("DINOVK_REQUIRE_GPU") == "1" {
		skip = t.Fatal
	}
	if err := vk.Load(); err != nil {
		skip(err)
	}
	if !vk.Layers()[vk.ValidationLayer] {
		skip("no validation layer (on Debian and Ubuntu: apt install vulkan-validationlayers)")
	}
	d, err := Open(Options{Validate: true})
	if err != nil {
		skip(err)
	}
	return d
}

// hazard runs y += x, x += y with or without the barrier between.
func hazard(t *testing.T, barrier bool) []string {
	d := openValidated(t)
	s, g := NewStore(), NewGraph(d.Caps())
	x, y := s.New("x", F32, 256), s.New("y", F32, 256)
	push := struct{ N uint32 }{256}
	g.Dispatch(g.Pick(Plain("add"), nil), Groups{1, 1, 1}, push, y, x)
	g.Dispatch(g.Pick(Plain("add"), nil), Groups{1, 1, 1}, push, x, y)
	if err := s.Allocate(d); err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(g)
	if err != nil {
		t.Fatal(err)
	}
	if !plan.barrier[1] {
		t.Fatal("the plan has no barrier between the dispatches")
	}
	plan.barrier[1] = barrier
	p := &Program{dev: d, shared: &shared{open: 1}, plan: plan, graph: g}
	if err := p.encode(false); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.Close()
	s.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return d.ValidationMessages()
}

func TestValidationFindsHazard(t *testing.T) {
	if got := hazard(t, true); len(got) != 0 {
		t.Errorf("with the barrier there are messages: %q", got)
	}
	if got := strings.Join(hazard(t, false), "\n"); !strings.Contains(got, "SYNC-HAZARD") {
		t.Errorf("without the barrier there is no synchronization message: %q", got)
	}
}

func TestValidationFindsLeak(t *testing.T) {
	d := openValidated(t)
	s := NewStore()
	s.New("leaked", F32, 8)
	if err := s.Allocate(d); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.ValidationMessages(), "\n"); !strings.Contains(got, "VkBuffer") {
		t.Errorf("a leaked buffer is not reported: %q", got)
	}
}
