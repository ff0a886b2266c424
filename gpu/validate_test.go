package gpu

import (
	"context"
	"os"
	"strings"
	"testing"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

// openValidated is a device of its own with the validation layer, which must
// be installed where tests may not be skipped.
func openValidated(t *testing.T, o Options) *Device {
	t.Helper()
	skip := t.Skip
	if os.Getenv("DINOVK_REQUIRE_GPU") == "1" {
		skip = t.Fatal
	}
	if err := vk.Load(); err != nil {
		skip(err)
	}
	if vk.Layers()[vk.ValidationLayer] == 0 {
		skip("no validation layer (on Debian and Ubuntu: apt install vulkan-validationlayers)")
	}
	o.Validate = true
	d, err := Open(o)
	if err != nil {
		skip(err)
	}
	return d
}

// hazard runs what record records, two uses of x of which one writes it, with or
// without the barrier between, and returns the layer's messages.
func hazard(t *testing.T, barrier bool, record func(g *Graph, x, y *Tensor)) []string {
	d := openValidated(t, Options{})
	s, g := NewStore(), NewGraph(d.Caps())
	record(g, s.New("x", F32, 256), s.New("y", F32, 256))
	if err := s.Allocate(d); err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(g)
	if err != nil {
		t.Fatal(err)
	}
	if !plan.barrier[1] {
		t.Fatal("the plan has no barrier between the commands")
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

// add records y += x.
func add(g *Graph, y, x *Tensor) {
	g.Dispatch(g.Pick(Plain("add"), nil), Groups{1, 1, 1}, struct{ N uint32 }{256}, y, x)
}

func TestValidationFindsHazard(t *testing.T) {
	found := func(record func(g *Graph, x, y *Tensor)) bool {
		if got := hazard(t, true, record); len(got) != 0 {
			t.Errorf("with the barrier there are messages: %q", got)
		}
		return strings.Contains(strings.Join(hazard(t, false, record), "\n"), "SYNC-HAZARD")
	}
	if !found(func(g *Graph, x, y *Tensor) { add(g, y, x); g.Fill(x, 0) }) {
		t.Error("no message where memory is filled that a dispatch reads")
	}
	if !found(func(g *Graph, x, y *Tensor) { add(g, x, y); g.Copy(y, x) }) {
		t.Error("no message where memory is copied that a dispatch writes")
	}
	if !found(func(g *Graph, x, y *Tensor) { add(g, x, y); add(g, y, x) }) {
		if vk.Layers()[vk.ValidationLayer] == vulkan.MakeVersion(1, 3, 275) {
			t.Skip("the layer 1.3.275 (Ubuntu 24.04) compares no dispatch with another")
		}
		t.Error("no message where a dispatch reads memory that another writes")
	}
}

func TestValidationFindsLeak(t *testing.T) {
	d := openValidated(t, Options{})
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
