package dino

import (
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// record records one training step, algorithm 1 of the paper (arXiv
// 2104.14294). A step of several micro-batches is recorded in parts: the first
// overwrites gradients and sums, the others add to them, the last one updates.
func (s *Step) record(g *gpu.Graph, first, last bool) {
	params := s.scalars
	if s.scaler != nil {
		params = op.BeginScaled(g, params, s.scaler)
	}
	t := op.NewTape(g)
	t.Type = s.typ
	s.leaves(t, !first)
	s.readCopies(t)
	if first {
		s.statistics.Begin(g) // batch norm's, which both networks move
	}

	// x1, x2 = augment(x), augment(x), xl = augment(x) …, the local views
	x := s.crops(g, params)

	// t1, t2 = gt(x1), gt(x2)
	var targets *gpu.Tensor
	t.NoGrad(func() {
		defer g.Scope("teacher")()
		targets = s.net.Forward(t, s.weights(teacherPrefix), op.Mode{Train: true}, x.Globals)
	})

	// s1, s2, … = gs(x1), gs(x2), gs(xl)
	endStudent := g.Scope("student")
	draw := &op.Draw{Images: x.Table, Params: params}
	mode := op.Mode{Train: true, Draw: draw, Recompute: s.config.Recompute}
	logits := s.net.Forward(t, s.weights(studentPrefix), mode, x.all()...)
	endStudent()

	// loss = (H(t1, s2) + H(t2, s1) + …)/pairs; loss.backward()
	dlogits := op.DINOLoss(t, logits, targets, s.center, params, s.metrics, !first)
	t.Backward(logits, dlogits)
	op.ColSum(g, s.centerSum, targets, 1, !first)
	if !last {
		return
	}

	// update(gs); gt.params = l*gt.params + (1-l)*gs.params
	norms := s.optimizer.Check(g, params, s.metrics, s.status, s.scaler)
	s.optimizer.Update(g, params, norms, s.status)
	s.statistics.Commit(g, s.status)

	// C = m*C + (1-m)*cat([t1, t2]).mean(dim=0)
	op.CenterUpdate(g, s.center, s.centerSum, params, s.status, 2*s.config.GlobalBatch())

	g.Copy(s.report, s.metrics)
}

// all are the views by resolution.
func (v Views) all() []*gpu.Tensor {
	if v.Locals == nil {
		return []*gpu.Tensor{v.Globals}
	}
	return []*gpu.Tensor{v.Globals, v.Locals}
}

// leaves registers the student's trained weights with their gradients.
func (s *Step) leaves(t *op.Tape, accumulate bool) {
	for _, p := range s.student.Params() {
		if s.config.flags(p)&op.Frozen == 0 {
			t.Param(s.student.Tensor(p.Name), s.gradient.Tensor(p.Name), accumulate)
		}
	}
}
