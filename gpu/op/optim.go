package op

import (
	"fmt"
	"slices"

	"dino-vk/gpu"
)

var (
	optimSquares = gpu.Plain("optim_squares")
	optimClip    = gpu.Plain("optim_clip")
	optimCheck   = gpu.Plain("optim_check")
	optimRates   = gpu.Plain("optim_rates")
	optimAdamW   = withUniform(&gpu.Kernel{Name: "optim_adamw", Variants: []gpu.Variant{
		{Module: "optim_adamw_texel", Fits: func(caps gpu.Caps, problem any) bool {
			return caps.Kind == gpu.CPU && fitsTexels(caps, problem.(adamWProblem).elements...)
		}},
		{Module: "optim_adamw"},
	}, Untimed: true}, func(_ gpu.Caps, problem any) bool {
		p := problem.(adamWProblem)
		return !p.copies && p.elements[0].Len()%bankRun == 0 && p.elements[0].Len()/bankRun < 1<<16
	})
	optimMomentum    = gpu.Plain("optim_momentum")
	optimLARSSquares = gpu.Plain("optim_lars_squares")
	optimLARSRates   = gpu.Plain("optim_lars_rates")
)

// Rule is how an optimizer moves the weights, by the reference's name.
type Rule string

// The rules that the reference offers, with its constants. The momentum of SGD
// and LARS is StepParams.Beta1.
const (
	AdamW Rule = "adamw" // Loshchilov and Hutter, arXiv 1711.05101
	SGD   Rule = "sgd"   // with momentum
	LARS  Rule = "lars"  // You et al., arXiv 1708.03888; adapts what is decayed
)

// Rules lists all rules.
var Rules = []Rule{AdamW, SGD, LARS}

// LARSEta is LARS's trust coefficient.
const LARSEta = 0.001

// Optimizer moves the weights by a rule, with clipping by tensor, fused with the
// moving average that is the teacher (arXiv 2104.14294, algorithm 1).
type Optimizer struct {
	rule   Rule
	layout *Layout
	roles  Roles

	tables   []*gpu.Tensor // block tables, (blocks, 4) u32 by bank
	segments *gpu.Tensor   // (tensors, 2) u32
}

// Roles are the banks that the optimizer works on, all of one layout. Only AdamW
// has a second moment. The copies, of weight and teacher in another type, both
// or none, are what products read.
type Roles struct {
	Weight, Gradient, Moment1, Moment2, Teacher *Bank
	WeightCopy, TeacherCopy                     *Bank
}

// NewOptimizer declares the optimizer's tables in s; after s is allocated,
// Upload must fill them.
func NewOptimizer(s *gpu.Store, layout *Layout, rule Rule, roles Roles) *Optimizer {
	o := &Optimizer{rule: rule, layout: layout, roles: roles}
	for i, blocks := range layout.blocks {
		o.tables = append(o.tables, s.New(fmt.Sprintf("optim.blocks%d", i), gpu.U32, len(blocks), 4))
	}
	o.segments = s.New("optim.segments", gpu.U32, len(layout.segments), 2)
	return o
}

// Upload writes the tables.
func (o *Optimizer) Upload(s *gpu.Store) error {
	for i, blocks := range o.layout.blocks {
		var words []uint32
		for _, b := range blocks {
			words = append(words, b.words()...)
		}
		if err := s.Write(o.tables[i], encodeWords(words)); err != nil {
			return fmt.Errorf("optimizer: %w", err)
		}
	}
	var words []uint32
	for _, seg := range o.layout.segments {
		words = append(words, seg[0], seg[1])
	}
	if err := s.Write(o.segments, encodeWords(words)); err != nil {
		return fmt.Errorf("optimizer: %w", err)
	}
	return nil
}

// Check records the norms of the gradients: of all together and the largest go
// to metrics (a Metrics), and status[0] is set, and stays so, where the loss
// in metrics or a norm is not finite. With a dynamic loss scale, the state of
// which is scaler (nil without), a norm only sets status[1], for this step, and
// lowers the scale. It returns what Update needs.
func (o *Optimizer) Check(g *gpu.Graph, params, metrics, status, scaler *gpu.Tensor) (norms *gpu.Tensor) {
	defer g.Scope("gradient norm")()
	squares := g.New("squares", gpu.F32, o.blocks())
	first := 0
	for i, table := range o.tables {
		n := table.Dim(0)
		g.Dispatch(g.Pick(optimSquares, nil), grid(g, n, 1), struct{ Count, FirstSquare uint32 }{uint32(n), uint32(first)},
			o.roles.Gradient.banks[i], table, squares)
		first += n
	}
	n := o.segments.Dim(0)
	count := struct{ Count uint32 }{uint32(n)}
	norms = g.New("norms", gpu.F32, n, 2)
	g.Dispatch(g.Pick(optimClip, nil), grid(g, n, 1), count, squares, o.segments, params, norms)
	check := g.Pick(optimCheck, nil).With("DYNAMIC", bit(scaler != nil))
	g.Dispatch(check, gpu.Groups{1, 1, 1}, count, norms, metrics, status, params, scaler)
	return norms
}

// blocks is the number of blocks of all banks.
func (o *Optimizer) blocks() int {
	n := 0
	for _, blocks := range o.layout.blocks {
		n += len(blocks)
	}
	return n
}

// Update records the step of every tensor: the rule with clipped gradients for
// those that are trained, then the teacher's average for all. Nothing changes
// where status[0] is set, and where status[1] is only the average moves, which
// is what the reference does with a step whose gradients overflowed. params holds the StepParams, norms what Check gave.
func (o *Optimizer) Update(g *gpu.Graph, params, norms, status *gpu.Tensor) {
	defer g.Scope(string(o.rule))()
	if o.rule != AdamW {
		o.momentum(g, params, norms, status)
		return
	}
	r := o.roles
	for i, table := range o.tables {
		banks := elements{r.Weight.banks[i], r.Gradient.banks[i], r.Moment1.banks[i], r.Moment2.banks[i], r.Teacher.banks[i]}
		end := g.Whole() // a variant needs more than one shader
		shader := g.Pick(optimAdamW, adamWProblem{banks, r.WeightCopy != nil})
		if isUniform(shader) {
			o.uniformAdamW(g, shader, banks, table, norms, params, status)
			end()
			continue
		}
		shader = shader.With("COPIES", bit(r.WeightCopy != nil))
		args := append(slices.Clone(banks), table, norms, params, status, r.WeightCopy.bank(i), r.TeacherCopy.bank(i))
		if shader.Module == "optim_adamw_texel" {
			args = append(args, banks...)
		}
		n := table.Dim(0)
		g.Dispatch(shader, grid(g, n, 1), struct{ Count uint32 }{uint32(n)}, args...)
		end()
	}
}

// adamWProblem are the banks without the copies, of which there may be some.
type adamWProblem struct {
	elements
	copies bool
}

// uniformAdamW records the step of a bank by optim_adamw_uniform.comp.
func (o *Optimizer) uniformAdamW(g *gpu.Graph, sh gpu.Shader, banks elements, table, norms, params, status *gpu.Tensor) {
	n, units := table.Dim(0), banks[0].Len()/bankAlign
	rates := g.New("rates", gpu.F32, units, 4)
	g.Fill(rates, 0) // where no tensor is
	g.Dispatch(g.Pick(optimRates, nil), grid(g, n*blockElems/bankAlign, 64), struct{ Count uint32 }{uint32(n)}, table, norms, params, status, rates)
	push := struct {
		WeightAt, Gradient, Moment1At, Moment2At, TeacherAt, Rates gpu.Address
		Count                                                      [16]uint32
	}{0, 1, 2, 3, 4, 5, counts()}
	g.Dispatch(sh.With("UNITS", uniformRows), gpu.Groups{units / uniformRows, 1, 1}, push, append(slices.Clone(banks), rates, params, status)...)
}

// bank is the i-th flat array, nil of no bank.
func (b *Bank) bank(i int) *gpu.Tensor {
	if b == nil {
		return nil
	}
	return b.banks[i]
}

// momentum is Update by the rules of one moment.
func (o *Optimizer) momentum(g *gpu.Graph, params, norms, status *gpu.Tensor) {
	shader := g.Pick(optimMomentum, nil).With("COPIES", bit(o.roles.WeightCopy != nil))
	var rates *gpu.Tensor
	if o.rule == LARS {
		rates = o.rates(g, params, norms)
		shader = shader.With("ADAPT", 1)
	}
	for i, table := range o.tables {
		n := table.Dim(0)
		g.Dispatch(shader, grid(g, n, 1), struct{ Count uint32 }{uint32(n)},
			o.roles.Weight.banks[i], o.roles.Gradient.banks[i], o.roles.Moment1.banks[i], o.roles.Teacher.banks[i],
			table, norms, rates, params, status, o.roles.WeightCopy.bank(i), o.roles.TeacherCopy.bank(i))
	}
}

// rates records LARS's rates of the tensors: eta |p| / |clip g + decay p|.
func (o *Optimizer) rates(g *gpu.Graph, params, norms *gpu.Tensor) *gpu.Tensor {
	squares := g.New("lars.squares", gpu.F32, o.blocks(), 2)
	first := 0
	for i, table := range o.tables {
		n := table.Dim(0)
		g.Dispatch(g.Pick(optimLARSSquares, nil), grid(g, n, 1), struct{ Count, FirstSquare uint32 }{uint32(n), uint32(first)},
			o.roles.Weight.banks[i], o.roles.Gradient.banks[i], table, norms, params, squares)
		first += n
	}
	n := o.segments.Dim(0)
	rates := g.New("lars.rates", gpu.F32, n)
	g.Dispatch(g.Pick(optimLARSRates, nil), grid(g, n, 1), struct {
		Count uint32
		Eta   float32
	}{uint32(n), LARSEta}, squares, o.segments, rates)
	return rates
}
