package bench

import (
	"context"
	"errors"
	"slices"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/shaders"
)

// TestAllShaders checks that every module that can be is compiled, that nothing is compiled
// twice, and that a strong device's own shaders come first.
func TestAllShaders(t *testing.T) {
	strong := gpu.MinimalCaps
	strong.Features, strong.SubgroupSize, strong.MaxTexels = gpu.SharedMemory|gpu.Float16, 32, 1<<27
	list, err := allShaders(strong)
	if err != nil {
		t.Fatal(err)
	}
	uses, modules, seen := map[string]int{}, map[string]bool{}, map[string]bool{}
	for _, u := range list {
		if seen[u.shader.String()] {
			t.Errorf("%v twice", u.shader)
		}
		seen[u.shader.String()], modules[u.shader.Module] = true, true
		uses[u.what]++
	}
	t.Log(uses)
	for _, name := range shaders.Names() {
		needs, err := gpu.Needs(name)
		if err != nil {
			t.Fatal(err)
		}
		if modules[name] != (needs&^strong.Features == 0) {
			t.Errorf("%s needs %v; it is compiled: %v", name, needs, modules[name])
		}
	}
	if list[0].what != Picked || uses[Picked] == 0 || uses[Masked] == 0 || uses[Fitting] == 0 {
		t.Errorf("%v, first %v", uses, list[0])
	}
	picked, err := shadersOf(strong)
	if err != nil || len(picked) != uses[Picked] {
		t.Errorf("%d shaders of recipes, %d picked: %v", len(picked), uses[Picked], err)
	}
	if !slices.ContainsFunc(picked, func(s gpu.Shader) bool { return s.Module == "gemm_shared_vec4" }) {
		t.Error("a GPU multiplies without shared memory")
	}
}

// TestInspectShaders compiles them all where the driver tells what came of it.
func TestInspectShaders(t *testing.T) {
	dev := gputest.OpenToCompile(t)
	list, err := InspectShaders(context.Background(), dev)
	if errors.Is(err, gpu.ErrNoStatistics) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		t.Log(c.Line())
		if c.Vector <= 0 || c.SubgroupSize == 0 {
			t.Errorf("%+v", c)
		}
	}
}

func TestCheckSpills(t *testing.T) {
	for _, c := range []struct {
		name string
		list []CompiledShader
		bad  bool
	}{
		{"none", nil, false},
		{"no spills", []CompiledShader{{Use: Picked, ScratchBytes: 64}}, false},
		{"spills where no recipe runs", []CompiledShader{{Use: Masked, Spills: 3}, {Use: Unused, Spills: 1}}, false},
		{"spills", []CompiledShader{{Use: Picked}, {Use: Picked, Spills: 1}}, true},
	} {
		if err := CheckSpills(c.list); errors.Is(err, ErrSpills) != c.bad {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
