package op

import "dino-vk/gpu"

var buffersCommit = gpu.Plain("buffers_commit")

// Buffers are running statistics. The micro-batches of a step move a working
// copy; what they left is kept only if the step ends well.
type Buffers struct{ kept, work *Bank }

// NewBuffers declares the statistics in s, in banks of at most maxBytes each.
func NewBuffers(s *gpu.Store, params []Param, maxBytes int64) (*Buffers, error) {
	layout, err := NewLayout(params, func(Param) ParamFlags { return 0 }, maxBytes)
	if err != nil {
		return nil, err
	}
	return &Buffers{layout.NewBank(s, "statistics"), layout.NewBank(s, "statistics.work")}, nil
}

// Kept finds a statistic of the last good step, nil if there is none of that
// name.
func (b *Buffers) Kept(name string) *gpu.Tensor { return b.kept.Tensor(name) }

// Work finds a statistic of the step under way.
func (b *Buffers) Work(name string) *gpu.Tensor { return b.work.Tensor(name) }

// Begin records the start of a step: the working copy is what was kept.
func (b *Buffers) Begin(g *gpu.Graph) {
	for i, kept := range b.kept.Banks() {
		g.Copy(b.work.Banks()[i], kept)
	}
}

// Commit records the end of a step: the working copy is kept, unless status[0]
// is set.
func (b *Buffers) Commit(g *gpu.Graph, status *gpu.Tensor) {
	for i, kept := range b.kept.Banks() {
		n := kept.Len()
		g.Dispatch(g.Pick(buffersCommit, n), grid(g, n, 64), struct{ N uint32 }{uint32(n)}, b.work.Banks()[i], kept, status)
	}
}
