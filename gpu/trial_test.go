package gpu

import "testing"

// What a node writes counts, though it reads that through another binding, too;
// what only leads to something else does not.
func TestTrialOutputs(t *testing.T) {
	s, g := NewStore(), NewGraph(MinimalCaps)
	x, y, z := s.New("x", F32, 64), s.New("y", F32, 64), s.New("z", F32, 64)
	add := func(to, from *Tensor) {
		g.Dispatch(g.Pick(Plain("add"), nil), Groups{1, 1, 1}, struct{ N uint32 }{64}, to, from)
	}
	outputs := func() string {
		names := ""
		for _, o := range newTrial(attempt{nodes: g.nodes}).outputs() {
			names += o.Name
		}
		return names
	}
	for _, step := range []struct {
		record func()
		want   string
	}{
		{func() { g.Copy(y, x) }, "y"},
		{func() { add(y, y) }, "y"},
		{func() { add(z, y) }, "z"},
		{func() { g.Fill(x, 1) }, "zx"},
		{func() { add(z, x) }, "z"},
	} {
		step.record()
		if got := outputs(); g.Err() != nil || got != step.want {
			t.Errorf("after %d nodes: %q, want %q; %v", len(g.nodes), got, step.want, g.Err())
		}
	}
}
