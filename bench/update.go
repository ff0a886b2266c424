package bench

import (
	"encoding/binary"
	"fmt"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// metricWords are those of op.Metrics.
var metricWords = binary.Size(op.Metrics{}) / 4

// The operations that are no layers, and so have no backward.

// loss computes the gradient with the loss. A row's softmax must wait for sums
// over the row, so the logits are read twice.
func (s sizes) loss() operation {
	student, teacher := s.crops*s.OutDim, 2*s.BatchSize*s.OutDim
	return operation{"loss and its gradient", fmt.Sprintf("(%d, %d), (%d, %d)", s.crops, s.OutDim, 2*s.BatchSize, s.OutDim), 0,
		traffic(2*student, 2*teacher, s.OutDim, student), work{}, func(r *recorder) {
			op.DINOLoss(r.tape, r.input(s.crops, s.OutDim), r.input(2*s.BatchSize, s.OutDim), r.input(s.OutDim),
				r.params(s.Config), r.zeros(metricWords), false)
		}, counterpart{"kind": "loss", "crops": s.Crops(), "batch": s.BatchSize, "width": s.OutDim}}
}

func (s sizes) center() operation {
	rows, k := 2*s.BatchSize, s.OutDim
	return operation{"center", fmt.Sprintf("(%d, %d)", rows, k), 0, traffic(rows*k, k, k), work{}, func(r *recorder) {
		sum := r.input(k)
		op.ColSum(r.g, sum, r.input(rows, k), 1, false)
		op.CenterUpdate(r.g, r.input(k), sum, r.params(s.Config), r.zeros(1), rows)
	}, nil}
}

// params are all numbers of a network.
func params(c dino.Config) []op.Param {
	net, err := dino.NewNetwork(c)
	if err != nil {
		return nil // the settings are checked before anything is recorded
	}
	return net.Params()
}

// elements are the trained weights of a network and their number.
func elements(c dino.Config) (list []op.Param, n int) {
	for _, p := range params(c) {
		if !p.Buffer {
			list = append(list, p)
			n += p.Len()
		}
	}
	return list, n
}

// optimizer declares a network's weights and all that belongs to them.
func (s sizes) optimizer(r *recorder, rule op.Rule, params []op.Param) *op.Optimizer {
	layout, err := op.NewLayout(params, func(op.Param) op.ParamFlags { return op.Decay }, r.g.Caps().MaxBinding)
	if err != nil {
		r.g.Errorf("%w", err)
		return nil
	}
	bank := func(role string) *op.Bank {
		b := layout.NewBank(r.store, role)
		r.inputs = append(r.inputs, b.Banks()...)
		return b
	}
	roles := op.Roles{Weight: bank("weight"), Gradient: bank("gradient"), Moment1: bank("m"), Teacher: bank("teacher")}
	if rule == op.AdamW {
		// Second moments can't be negative, so they stay the zeros that they begin as.
		roles.Moment2 = layout.NewBank(r.store, "v")
	}
	o := op.NewOptimizer(r.store, layout, rule, roles)
	r.fill = append(r.fill, func() error { return o.Upload(r.store) })
	return o
}

func (s sizes) gradientNorm() operation {
	params, n := elements(s.Config)
	return operation{"gradient norm", fmt.Sprintf("%d weights", n), 0, traffic(n), work{}, func(r *recorder) {
		if o := s.optimizer(r, op.SGD, params); o != nil {
			o.Check(r.g, r.params(s.Config), r.zeros(metricWords), r.zeros(op.StatusWords), nil)
		}
	}, nil}
}

// updates are the updates of the student, fused with the teacher's average, by
// all rules. Weight, moments and teacher come and go; LARS's norms read the
// weight and the gradient once more.
func (s sizes) updates() []operation {
	params, n := elements(s.Config)
	var list []operation
	var lengths []int
	for _, p := range params {
		lengths = append(lengths, p.Len())
	}
	for _, u := range []struct {
		rule       op.Rule
		name       string
		read, sent int // banks
	}{{op.AdamW, "AdamW", 5, 4}, {op.SGD, "SGD", 4, 3}, {op.LARS, "LARS", 6, 3}} {
		var torch counterpart
		if u.rule == op.AdamW {
			torch = counterpart{"kind": "adamw", "sizes": lengths}
		}
		list = append(list, operation{u.name + " + teacher", fmt.Sprintf("%d weights", n), 0, traffic(u.read*n, u.sent*n), work{}, func(r *recorder) {
			if o := s.optimizer(r, u.rule, params); o != nil {
				o.Update(r.g, r.params(s.Config), r.zeros(len(params), 2), r.zeros(op.StatusWords))
			}
		}, torch})
	}
	return list
}

// augment makes the crops of pictures that are as large as a global crop.
func (s sizes) augment() operation {
	side := s.ImageSize
	words := (3*side*side/4 + 63) / 64 * 64
	in := s.BatchSize * 3 * side * side / 4
	return operation{"augmentation", fmt.Sprintf("%d crops of %d pictures", s.crops, s.BatchSize), 0, traffic(in, s.pixels()), work{}, func(r *recorder) {
		a := op.DefaultAugmentation()
		a.Locals, a.GlobalSize, a.LocalSize = s.LocalCropsNumber, s.ImageSize, s.LocalSize
		pictures := r.words(func(i int) uint32 { return uint32(i) * 2654435761 }, s.BatchSize, words)
		op.Augment(r.g, a, pictures, r.pictureTable(s.BatchSize, 4*words, side), r.params(s.Config))
	}, nil}
}

// attentionProbs is the attention of CLS of the global crops.
func (s sizes) attentionProbs() operation {
	run := s.runs[0]
	tokens, probs := run.Sequences*run.Length, run.Sequences*run.Length*s.heads
	flops := product(1, run.Length, s.dim).times(run.Sequences)
	return operation{"attention of CLS", fmt.Sprintf("%d of %d, %d heads", run.Sequences, run.Length, s.heads), 0,
		flops.plus(traffic(tokens*s.dim, run.Sequences*s.dim, probs)), work{}, func(r *recorder) {
			op.AttentionProbs(r.tape, r.input(tokens, 3*s.dim), s.heads, run.Length, 1)
		}, nil}
}

// neighbours finds the 20 nearest of 4096 features for each image of a batch.
func (s sizes) neighbours() operation {
	const n, k = 4096, 20
	q := s.BatchSize
	return operation{"nearest neighbours", fmt.Sprintf("%d of (%d, %d) for %d", k, n, s.dim, q), 0,
		product(q, n, s.dim).plus(traffic(q*s.dim, n*s.dim, 2*q*k)), work{}, func(r *recorder) {
			op.NearestNeighbours(r.g, r.input(q, s.dim), r.input(n, s.dim), k)
		}, nil}
}

// table is the image table of a batch.
func (r *recorder) table(c dino.Config) *gpu.Tensor {
	return r.pictureTable(c.BatchSize, 0, c.ImageSize)
}

func (r *recorder) pictureTable(batch, stride, side int) *gpu.Tensor {
	return r.words(func(i int) uint32 {
		return [4]uint32{uint32(i / 4 * stride), uint32(side), uint32(side), uint32(i / 4)}[i%4]
	}, batch, 4)
}
