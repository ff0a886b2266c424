package op

import (
	"encoding/binary"
	"math"

	"dino-vk/gpu"
)

// Samples records small problems that between them ask for every variant of every
// kernel: of sizes that fill its blocks and of others that do not.
func Samples(g *gpu.Graph) {
	store := gpu.NewStore()
	for _, typ := range []gpu.Type{gpu.F32, gpu.F16, gpu.BF16} {
		s := samples{NewTape(g), store}
		s.tape.Type = typ
		s.products()
		s.attention()
		if typ == gpu.F32 {
			s.loss(300)
			s.loss(512)
			s.optimizer(64|uint32(Decay), true)
			s.optimizer(96, false) // blocks in a bank begin at multiples of 32 quads
			s.rows()
			s.images()
		}
	}
}

// samples records on tensors that nobody allocates.
type samples struct {
	tape  *Tape
	store *gpu.Store
}

// leaf is a tensor that needs a gradient.
func (s samples) leaf(shape ...int) *gpu.Tensor { return s.leafOf(gpu.F32, shape...) }

func (s samples) leafOf(typ gpu.Type, shape ...int) *gpu.Tensor {
	x := s.store.New("sample", typ, shape...)
	s.tape.Param(x, s.store.New("gradient", typ, shape...), typ == gpu.F32)
	return x
}

func (s samples) input(shape ...int) *gpu.Tensor { return s.store.New("input", gpu.F32, shape...) }

// differentiate records the backward of y.
func (s samples) differentiate(y *gpu.Tensor) {
	s.tape.Backward(y, s.store.New("gradient", y.Type, y.Shape...))
}

// products are linear layers and their gradients.
func (s samples) products() {
	linear := func(rows, in, out int) (x, w, b *gpu.Tensor) {
		w = s.leaf(out, in)
		s.tape.Copy(w, s.store.New("copy", s.tape.Type, out, in))
		return s.leafOf(s.tape.Type, rows, in), w, s.leaf(out)
	}
	residual := func(rows, in, out int) {
		x, w, b := linear(rows, in, out)
		s.differentiate(LinearResidual(s.tape, x, w, b, s.input(rows, out)))
	}
	gelu := func(rows, in, out int) {
		x, w, b := linear(rows, in, out)
		s.differentiate(LinearGELU(s.tape, x, w, b))
	}
	x, w, b := linear(504, 4096, 1000) // enough blocks of every size on matrix units
	if s.tape.Type == gpu.F32 {
		x, w, b = linear(2048, 64, 2048) // and on others
		residual(67, 36, 60)
		gelu(33, 31, 29)
	} else {
		gelu(2040, 64, 4088) // the same in one part, followed by all that can follow
	}
	s.differentiate(Linear(s.tape, x, w, b))
	gelu(4100, 64, 68) // the weight's gradient is summed in parts
}

// attention is over sequences of the two lengths of ViT-S/16's crops, and in
// float32 with heads of another size.
func (s samples) attention() {
	crops := []Run{{Sequences: 2, Length: 197}, {Sequences: 3, Length: 37}}
	s.differentiate(Attention(s.tape, s.leafOf(s.tape.Type, Tokens(crops), 3*2*64), 2, crops))
	if s.tape.Type == gpu.F32 {
		s.differentiate(Attention(s.tape, s.leaf(197, 3*2*24), 2, []Run{{Sequences: 1, Length: 197}}))
	}
}

func (s samples) rows() {
	for _, width := range []int{384, 60} {
		const rows = 304
		x := s.leaf(rows, width)
		s.differentiate(LayerNorm(s.tape, x, s.leaf(width), s.leaf(width), 1e-6))
		s.differentiate(L2Norm(s.tape, x))
		s.differentiate(WeightNorm(s.tape, x, s.leaf(rows)))
		s.differentiate(Residual(s.tape, x, s.leaf(rows, width), nil, 0, 0))
		ColSum(s.tape.G, s.input(width), s.input(rows, width), 1, false)
	}
}

func (s samples) images() {
	const in, out = 32, 64
	x := s.leaf(2, 15, 15, in)
	y := Conv2D(s.tape, x, s.leaf(out, in, 3, 3), 2, 1)
	y = BatchNormReLU(s.tape, y, BatchNormWeights{s.leaf(out), s.leaf(out), s.input(out), s.input(out), s.input(1)}, true)
	s.differentiate(MaxPool(s.tape, y, 3, 2, 1))
	s.differentiate(Conv2D(s.tape, s.leaf(2, 9, 9, 5), s.leaf(6, 5, 3, 3), 1, 1))
}

// half records a tensor of which every word is 0.5: StepParams that make sense.
func (s samples) half(typ gpu.Type, n int) *gpu.Tensor {
	t := s.store.New("half", typ, n)
	s.tape.G.Fill(t, math.Float32bits(0.5))
	return t
}

func (s samples) params() *gpu.Tensor { return s.half(gpu.U32, binary.Size(StepParams{})/4) }

// loss is the two passes over logits, each whole with the parameters it reads.
func (s samples) loss(width int) {
	const images, crops = 3, 4
	g, teacher, center := s.tape.G, s.input(2*images, width), s.input(width)
	stats := s.input((2+crops)*images, 4)
	end := g.Whole()
	logitStats(g, teacher, center, s.params(), stats, 0)
	end()
	defer g.Whole()()
	student, dstudent := s.input(crops*images, width), g.New("dstudent", gpu.F32, crops*images, width)
	l := lossPass{g, student, teacher, center, s.params(), dstudent, stats, images, crops, width}
	l.record()
}

// optimizer moves the weights of a block, whole with its row in the table: it
// begins at the quad of that number, has as many, is the tensor's of that number,
// and has its flags.
func (s samples) optimizer(block uint32, copies bool) {
	g, n := s.tape.G, bankRun
	defer g.Whole()()
	table := s.store.New("block", gpu.U32, 1, 4)
	g.Fill(table, block)
	bank := func(role string, typ gpu.Type) *Bank { return &Bank{banks: []*gpu.Tensor{s.store.New(role, typ, n)}} }
	o := Optimizer{rule: AdamW, tables: []*gpu.Tensor{table}, roles: Roles{
		Weight: bank("weight", gpu.F32), Gradient: bank("gradient", gpu.F32), Teacher: bank("teacher", gpu.F32),
		Moment1: bank("moment1", gpu.F32), Moment2: &Bank{banks: []*gpu.Tensor{s.half(gpu.F32, n)}},
	}}
	if copies {
		o.roles.WeightCopy, o.roles.TeacherCopy = bank("weight copy", gpu.BF16), bank("teacher copy", gpu.BF16)
	}
	o.Update(g, s.params(), s.input(int(block)+1, 2), s.store.New("status", gpu.U32, StatusWords))
}
