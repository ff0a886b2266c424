package gpu

import "testing"

// TestPrune drops what leads nowhere, and nothing that leads to a tensor of a
// store.
func TestPrune(t *testing.T) {
	s := NewStore()
	x, out := s.New("x", F32, 256), s.New("out", F32, 256)
	g := NewGraph(MinimalCaps)
	add := Shader{Kernel: "add", Module: "add"}
	dispatch := func(y, x *Tensor) { g.Dispatch(add, Groups{1, 1, 1}, addPush{256}, y, x) }
	a, b, c, d := g.New("a", F32, 256), g.New("b", F32, 256), g.New("c", F32, 256), g.New("d", F32, 256)
	g.Copy(a, x)
	g.Copy(b, a)   // to d, which nobody reads
	g.Fill(c, 0)   // the sum in c reaches out
	dispatch(c, a) //
	g.Copy(d, b)   // leads nowhere
	dispatch(d, c) // the same
	g.Copy(out, c)
	g.Copy(b, out) // too late
	if n := g.Prune(); n != 4 {
		t.Errorf("%d commands went, want 4", n)
	}
	var left []string
	for i := range g.nodes {
		left = append(left, g.nodes[i].name()+" "+g.nodes[i].args[0].Name)
	}
	want := []string{"copy a", "fill c", "add c", "copy out"}
	if len(left) != len(want) {
		t.Fatalf("%q stay, want %q", left, want)
	}
	for i := range want {
		if left[i] != want[i] {
			t.Errorf("%q stay, want %q", left, want)
		}
	}
	if n := g.Prune(); n != 0 {
		t.Errorf("%d more went", n)
	}
	if _, err := NewPlan(g); err != nil {
		t.Error(err)
	}
}
