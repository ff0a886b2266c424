package gpu

import (
	"strings"
	"testing"
)

type addPush struct{ N uint32 }

func TestReflection(t *testing.T) {
	m, err := loadModule("add")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.bindings) != 2 {
		t.Fatalf("%d bindings, want 2", len(m.bindings))
	}
	if y := m.bindings[0]; y.name != "yStored" || !y.read || !y.write {
		t.Errorf("binding 0 is %+v, want yStored, read and written", y)
	}
	if x := m.bindings[1]; x.name != "xStored" || !x.read || x.write {
		t.Errorf("binding 1 is %+v, want xStored, only read", x)
	}
	if len(m.push) != 1 || m.push[0] != (field{"n", 0, U32}) {
		t.Errorf("push constants are %+v", m.push)
	}
	if m.local != [3]uint32{256, 1, 1} {
		t.Errorf("local size is %v", m.local)
	}
}

func TestReflectRefusesRubbish(t *testing.T) {
	m, err := loadModule("add")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range [][]byte{nil, []byte("rubbish!"), m.code[:24]} {
		if _, err := reflectModule(code); err == nil {
			t.Errorf("%d bytes of rubbish were reflected", len(code))
		}
	}
}

// The first mistake sticks and names the place.
func TestRecordingErrors(t *testing.T) {
	s := NewStore()
	x := s.New("x", F32, 512)
	add := Shader{Kernel: "add", Module: "add"}
	for _, c := range []struct {
		name   string
		record func(g *Graph)
		want   string
	}{
		{"unread", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, x, g.New("a", F32, 1)) }, "before anything wrote"},
		{"push missing", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, nil, x, x) }, "push constants"},
		{"push type", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, struct{ N float32 }{}, x, x) }, "field"},
		{"push name", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, struct{ M uint32 }{}, x, x) }, "field"},
		{"push length", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, struct{ N, M uint32 }{}, x, x) }, "no field"},
		{"args", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, x) }, "1 tensors"},
		{"groups", func(g *Graph) { g.Dispatch(add, Groups{1, 0, 1}, addPush{1}, x, x) }, "workgroups"},
		{"spec", func(g *Graph) { g.Dispatch(add.With("NO", 1), Groups{1, 1, 1}, addPush{1}, x, x) }, "specialization"},
		{"module", func(g *Graph) { g.Dispatch(Shader{Module: "none"}, Groups{1, 1, 1}, nil) }, "none"},
		{"unaligned", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, x.Rows(1, 1), x) }, "multiple"},
		{"rows", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, x.Rows(500, 20), x) }, "rows"},
		{"reshape", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, x.Reshape(3), x) }, "reshape"},
		{"copy", func(g *Graph) { g.Copy(x, x.Rows(0, 64)) }, "another size"},
		{"input", func(g *Graph) { g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, s.Input("in", F32, 8), x) }, "only the host writes"},
		{"input filled", func(g *Graph) { g.Fill(s.Input("in", F32, 8), 0) }, "only the host writes"},
		{"foreign", func(g *Graph) { g.Fill(NewGraph(MinimalCaps).New("b", F32, 1), 0) }, "another graph"},
		{"too large", func(g *Graph) {
			big := g.New("big", F32, 64<<20)
			g.Dispatch(add, Groups{1, 1, 1}, addPush{1}, big, x)
		}, "binds at most"},
	} {
		g := NewGraph(MinimalCaps)
		end := g.Scope("place")
		c.record(g)
		end()
		g.Errorf("a later error")
		if _, err := NewPlan(g); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "place") {
			t.Errorf("%s: error %v, want one with %q at place", c.name, err, c.want)
		}
	}
}

// A samplerBuffer takes whole texels, and no more than the device allows.
func TestTexelBindings(t *testing.T) {
	m, err := loadModule("gemm_texel")
	if err != nil {
		t.Fatal(err)
	}
	if a := m.bindings[0]; a.name != "a" || !a.texels || !a.read || a.write {
		t.Fatalf("binding 0 is %+v, want the samplerBuffer a", a)
	}
	push := struct {
		M, N, K, Part, Slot uint32
		Alpha               float32
	}{4, 4, 4, 4, 0, 1}
	caps := MinimalCaps
	caps.MaxTexels = 16
	for _, c := range []struct {
		n    int
		want string
	}{{64, ""}, {62, "multiple of four"}, {68, "at most 16"}} {
		g, s := NewGraph(caps), NewStore()
		x, y := s.New("x", F32, c.n), s.New("y", F32, 64)
		g.Dispatch(Shader{Kernel: "gemm", Module: "gemm_texel"}, Groups{1, 1, 1}, push, x, y, y, nil, nil, nil, nil)
		if err := g.Err(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%d elements: error %v, want one with %q", c.n, err, c.want)
		}
	}
}

// A module says itself what it needs, and is not recorded for a device without.
func TestNeeds(t *testing.T) {
	for name, want := range map[string]Features{
		"gemm":           0,
		"gemm_coop":      CoopMatrix | MemoryModel | SubgroupSizeControl | Float16,
		"gemm_coop_bf16": CoopMatrix | MemoryModel | SubgroupSizeControl | BFloat16,
	} {
		if got, err := Needs(name); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	g := NewGraph(MinimalCaps)
	g.Dispatch(Shader{Kernel: "gemm", Module: "gemm_coop"}, Groups{1, 1, 1}, nil)
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "coopmat") {
		t.Errorf("recorded what the device cannot run: %v", err)
	}
}
