package op

import (
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// TestBuffers moves a step's working copy and keeps it only where the step is
// finite.
func TestBuffers(t *testing.T) {
	params := []Param{{Name: "mean", Shape: []int{67}}, {Name: "count"}}
	for status := range uint32(2) {
		c := gputest.New(t)
		b, err := NewBuffers(c.Store, params, 4*128) // as two banks
		if err != nil {
			t.Fatal(err)
		}
		if b.Kept("none") != nil || b.Work("none") != nil {
			t.Error("a statistic that is none")
		}
		before, after := map[string][]float32{}, map[string][]float32{}
		for i, p := range params {
			before[p.Name], after[p.Name] = gputest.Normal(uint64(i), p.Len()), gputest.Normal(uint64(i+2), p.Len())
			c.Graph.Copy(b.Kept(p.Name), c.Input("before", before[p.Name], p.Shape...))
		}
		b.Begin(c.Graph)
		begun, kept := map[string]*gpu.Tensor{}, map[string]*gpu.Tensor{}
		for _, p := range params {
			begun[p.Name] = c.Keep(b.Work(p.Name))
			c.Graph.Copy(b.Work(p.Name), c.Input("after", after[p.Name], p.Shape...))
		}
		b.Commit(c.Graph, c.InputU32("status", []uint32{status}, 1))
		for _, p := range params {
			kept[p.Name] = c.Keep(b.Kept(p.Name))
		}
		c.Run()
		for _, p := range params {
			want := after
			if status != 0 {
				want = before
			}
			c.Near(begun[p.Name], gputest.Float64(before[p.Name]), gputest.Eps(0))
			c.Near(kept[p.Name], gputest.Float64(want[p.Name]), gputest.Eps(0))
		}
	}
}
