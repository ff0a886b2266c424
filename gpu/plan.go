package gpu

import (
	"fmt"
	"math"
	"sort"
)

// Plan says where a graph's scratch tensors lie and where barriers stand.
type Plan struct {
	Scratch int64   // bytes of scratch memory
	piece   int64   // bytes of a buffer: no tensor crosses a multiple of it
	offset  []int64 // of every scratch tensor, by its number
	barrier []bool  // before node i everything earlier must have taken effect
}

// lifetime is the span of nodes in which a scratch tensor holds something.
type lifetime struct{ first, last int }

// NewPlan plans a recorded graph. It needs no device.
func NewPlan(g *Graph) (*Plan, error) {
	if g.err != nil {
		return nil, g.err
	}
	p := &Plan{piece: g.caps.MaxBuffer / viewAlign * viewAlign}
	if p.piece <= 0 {
		p.piece = math.MaxInt64 // made by hand, without a limit
	}
	for _, m := range g.scratch {
		if m.bytes > p.piece {
			return nil, fmt.Errorf("%w: %s has %d bytes: the device's buffers have at most %d", ErrOutOfMemory, m.name, m.bytes, p.piece)
		}
	}
	p.place(g)
	p.barrier = barriers(g.nodes, p.locate)
	return p, nil
}

// lifetimes finds the nodes between which each scratch tensor is in use;
// first is -1 for one that no node uses.
func lifetimes(g *Graph) []lifetime {
	span := make([]lifetime, len(g.scratch))
	for i := range span {
		span[i].first = -1
	}
	for i := range g.nodes {
		for _, a := range g.nodes[i].accesses() {
			if a.mem.owner != g {
				continue
			}
			s := &span[a.mem.index]
			if s.first < 0 {
				s.first = i
			}
			s.last = i
		}
	}
	return span
}

// place gives every scratch tensor its offset: the largest first, each into
// the smallest gap that it fits between the tensors placed already whose
// lifetimes overlap its own.
func (p *Plan) place(g *Graph) {
	span := lifetimes(g)
	p.offset = make([]int64, len(span))
	var order []int
	for i, s := range span {
		if s.first >= 0 {
			order = append(order, i)
		}
	}
	size := func(i int) int64 { return alignUp(g.scratch[i].bytes, viewAlign) }
	sort.SliceStable(order, func(a, b int) bool { return size(order[a]) > size(order[b]) })
	var placed []int // by offset
	for _, i := range order {
		best, bestGap, end := int64(-1), int64(0), int64(0)
		for _, j := range placed {
			if span[j].last < span[i].first || span[i].last < span[j].first {
				continue
			}
			begin := p.within(end, size(i))
			if gap := p.offset[j] - end; begin+size(i) <= p.offset[j] && (best < 0 || gap < bestGap) {
				best, bestGap = begin, gap
			}
			end = max(end, p.offset[j]+size(j))
		}
		if best < 0 {
			best = p.within(end, size(i))
		}
		p.offset[i] = best
		p.Scratch = max(p.Scratch, best+size(i))
		at := sort.Search(len(placed), func(k int) bool { return p.offset[placed[k]] > best })
		placed = append(placed, 0)
		copy(placed[at+1:], placed[at:])
		placed[at] = i
	}
}

// within moves a tensor's offset to the next piece where it would cross into it.
func (p *Plan) within(offset, size int64) int64 {
	if offset/p.piece != (offset+size-1)/p.piece {
		return alignUp(offset, p.piece)
	}
	return offset
}

// locate turns an access into a range of real memory: all scratch tensors
// share one space (nil), every tensor of a store is a space of its own.
func (p *Plan) locate(a access) (space *memory, begin, end int64) {
	if _, ok := a.mem.owner.(*Graph); ok {
		base := p.offset[a.mem.index]
		return nil, base + a.begin, base + a.end
	}
	return a.mem, a.begin, a.end
}
