package op

import (
	"encoding/binary"
	"fmt"

	"dino-vk/gpu"
)

// ParamFlags say how the optimizer treats a tensor (shaders/include/optim.glsl).
type ParamFlags uint32

// How the optimizer treats a tensor.
const (
	Decay     ParamFlags = 1 << iota // weight decay applies
	LastLayer                        // untouched while StepParams.FreezeLast is set
	Frozen                           // never trained: only the teacher's average moves
	Backbone                         // learns at StepParams.BackboneRate times the learning rate
)

const (
	bankAlign  = 128  // elements: tensors begin at multiples of 256 bytes, those of 16 bits too
	blockElems = 4096 // most elements of a block
	bankRun    = bankAlign * uniformRows
)

// Layout places the tensors of a network in banks, flat arrays that one binding
// can span. Weights, gradients, moments and the teacher's weights have the
// same layout.
type Layout struct {
	Params []Param

	places   []place // by parameter
	banks    []int   // elements
	blocks   [][]block
	segments [][2]uint32 // first block in the order of all banks, number of blocks
}

// place is where a tensor stands.
type place struct{ bank, first int }

// block is a row of a block table: quads of one tensor.
type block struct{ first, quads, segment, flags uint32 }

// NewLayout places params in banks of at most maxBytes each (Caps.MaxBinding),
// with the flags that the function gives them.
func NewLayout(params []Param, flags func(Param) ParamFlags, maxBytes int64) (*Layout, error) {
	l := &Layout{Params: params}
	blocks := uint32(0)
	for i, p := range params {
		n := p.Len()
		size := (n + bankAlign - 1) / bankAlign * bankAlign
		if n == 0 || int64(size)*4 > maxBytes {
			return nil, fmt.Errorf("op: %s%v of %d elements does not fit a bank of %d bytes", p.Name, p.Shape, n, maxBytes)
		}
		if last := len(l.banks) - 1; last < 0 || int64(l.banks[last]+size)*4 > maxBytes {
			l.banks = append(l.banks, 0)
			l.blocks = append(l.blocks, nil)
		}
		bank := len(l.banks) - 1
		first := l.banks[bank]
		l.places = append(l.places, place{bank, first})
		l.banks[bank] += size
		count := uint32(0)
		for at := 0; at < n; at += blockElems {
			quads := (min(blockElems, n-at) + 3) / 4
			l.blocks[bank] = append(l.blocks[bank], block{uint32(first+at) / 4, uint32(quads), uint32(i), uint32(flags(p))})
			count++
		}
		l.segments = append(l.segments, [2]uint32{blocks, count})
		blocks += count
	}
	for i, n := range l.banks { // kernels may work on whole runs
		l.banks[i] = min(ceilDiv(n, bankRun)*bankRun, int(maxBytes/4)/bankAlign*bankAlign)
	}
	return l, nil
}

// Bank is a network's worth of tensors in some role: weights, gradients, ….
type Bank struct {
	layout *Layout
	banks  []*gpu.Tensor
	byName map[string]*gpu.Tensor
}

// NewBank declares the tensors of a role in s. Memory that belongs to no tensor
// must stay zero, as the store makes it.
func (l *Layout) NewBank(s *gpu.Store, role string) *Bank { return l.NewBankOf(gpu.F32, s, role) }

// NewBankOf is NewBank with elements of another type.
func (l *Layout) NewBankOf(typ gpu.Type, s *gpu.Store, role string) *Bank {
	b := &Bank{layout: l, byName: map[string]*gpu.Tensor{}}
	for i, n := range l.banks {
		b.banks = append(b.banks, s.New(fmt.Sprintf("%s.bank%d", role, i), typ, n))
	}
	for i, p := range l.Params {
		at := l.places[i]
		b.byName[p.Name] = b.banks[at.bank].Slice(at.first, p.Shape...).As(p.Name)
	}
	return b
}

// Tensor is the tensor of that name, nil if there is none.
func (b *Bank) Tensor(name string) *gpu.Tensor { return b.byName[name] }

// Params are the tensors of the bank.
func (b *Bank) Params() []Param { return b.layout.Params }

// Banks are the flat arrays themselves.
func (b *Bank) Banks() []*gpu.Tensor { return b.banks }

// words encodes table rows.
func (b block) words() []uint32 { return []uint32{b.first, b.quads, b.segment, b.flags} }

func encodeWords(words []uint32) []byte {
	bytes := make([]byte, 0, 4*len(words))
	for _, w := range words {
		bytes = binary.LittleEndian.AppendUint32(bytes, w)
	}
	return bytes
}
