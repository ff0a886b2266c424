package gpu

import (
	"math/rand/v2"
	"testing"
)

// randomGraph records copies and fills among scratch and store tensors of
// random sizes; every tensor is written before it is read.
func randomGraph(r *rand.Rand) *Graph {
	caps := MinimalCaps
	if r.IntN(2) == 0 { // so that the scratch memory needs several pieces
		caps.MaxBuffer = 20 * 64 * wordBytes * int64(1+r.IntN(3))
	}
	g := NewGraph(caps)
	s := NewStore()
	var ready []*Tensor
	for range 2 + r.IntN(60) {
		n := 64 * (1 + r.IntN(20))
		switch {
		case len(ready) == 0 || r.IntN(4) == 0:
			var t *Tensor
			if r.IntN(4) == 0 {
				t = s.New("stored", F32, n)
			} else {
				t = g.New("scratch", F32, n)
			}
			g.Fill(t, 1)
			ready = append(ready, t)
		case r.IntN(3) == 0: // a view written in place
			t := ready[r.IntN(len(ready))]
			g.Fill(t.Rows(0, 64), 2)
		default:
			src := ready[r.IntN(len(ready))]
			dst := g.New("scratch", F32, src.Len())
			g.Copy(dst, src)
			ready = append(ready, dst)
		}
	}
	return g
}

// No two scratch tensors that are alive at the same node may overlap, and
// every conflicting pair of nodes must have a barrier between them.
func checkPlan(t *testing.T, g *Graph) {
	t.Helper()
	p, err := NewPlan(g)
	if err != nil {
		t.Fatal(err)
	}
	span := lifetimes(g)
	for i := range span {
		for j := range i {
			alive := span[i].first >= 0 && span[j].first >= 0 && span[i].first <= span[j].last && span[j].first <= span[i].last
			apart := p.offset[i]+g.scratch[i].bytes <= p.offset[j] || p.offset[j]+g.scratch[j].bytes <= p.offset[i]
			if alive && !apart {
				t.Errorf("scratch tensors %d and %d overlap while both are alive", i, j)
			}
		}
		if end := p.offset[i] + g.scratch[i].bytes - 1; p.offset[i]/p.piece != end/p.piece {
			t.Errorf("scratch tensor %d lies at %d to %d, in two pieces of %d bytes", i, p.offset[i], end, p.piece)
		}
		if span[i].first >= 0 && (p.offset[i]%viewAlign != 0 || p.offset[i]+g.scratch[i].bytes > p.Scratch) {
			t.Errorf("scratch tensor %d lies at %d of %d bytes", i, p.offset[i], p.Scratch)
		}
	}
	// The naive simulator: nodes between two barriers run in any order, so no
	// two of them may touch the same memory unless both only read.
	epoch := 0
	begin := 0
	for i := range g.nodes {
		if p.barrier[i] {
			epoch++
			begin = i
		}
		for j := begin; j < i; j++ {
			for _, a := range g.nodes[i].accesses() {
				for _, b := range g.nodes[j].accesses() {
					as, ab, ae := p.locate(a)
					bs, bb, be := p.locate(b)
					if as == bs && ab < be && bb < ae && (a.write || b.write) {
						t.Errorf("nodes %d and %d conflict without a barrier", j, i)
					}
				}
			}
		}
	}
}

func TestPlanRandom(t *testing.T) {
	for seed := range uint64(200) {
		g := randomGraph(rand.New(rand.NewPCG(seed, 1)))
		checkPlan(t, g)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		checkPlan(t, randomGraph(rand.New(rand.NewPCG(a, b))))
	})
}

// Tensors with disjoint lifetimes must share memory.
func TestPlanReuses(t *testing.T) {
	g := NewGraph(MinimalCaps)
	s := NewStore()
	x := s.New("x", F32, 1024)
	a := g.New("a", F32, 1024)
	g.Copy(a, x)
	b := g.New("b", F32, 1024)
	g.Copy(b, a)
	c := g.New("c", F32, 1024)
	g.Copy(c, b)
	p, err := NewPlan(g)
	if err != nil {
		t.Fatal(err)
	}
	if p.Scratch != 2*4096 {
		t.Errorf("scratch is %d bytes, want two tensors' 8192", p.Scratch)
	}
}

// What only reads needs no barrier.
func TestBarriersAreNeededOnly(t *testing.T) {
	g := NewGraph(MinimalCaps)
	s := NewStore()
	x := s.New("x", F32, 64)
	y := s.New("y", F32, 256)
	g.Copy(y.Rows(0, 64), x)
	g.Copy(y.Rows(64, 64), x)
	g.Copy(y.Rows(128, 64), y.Rows(0, 64))
	p, err := NewPlan(g)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, true} {
		if p.barrier[i] != want {
			t.Errorf("barrier before node %d: %v, want %v", i, p.barrier[i], want)
		}
	}
}
