package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu"
)

// Every element of every tensor is in one block of its own, banks keep their
// size, tensors begin where views may.
func TestLayout(t *testing.T) {
	params := []Param{
		{Name: "a", Shape: []int{1}},
		{Name: "b", Shape: []int{3, 31}},
		{Name: "c", Shape: []int{64}},
		{Name: "d", Shape: []int{5, 1009}},
		{Name: "e", Shape: []int{4096}},
		{Name: "f", Shape: []int{2, 4097}},
	}
	flags := func(p Param) ParamFlags {
		return map[string]ParamFlags{"b": Decay, "d": Decay | LastLayer, "e": Frozen}[p.Name]
	}
	for _, limit := range []int64{1 << 20, 40 << 10, 33280} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			l, err := NewLayout(params, flags, limit)
			if err != nil {
				t.Fatal(err)
			}
			owner := make([]map[uint32]uint32, len(l.banks)) // by bank: quad -> segment
			for bank, blocks := range l.blocks {
				owner[bank] = map[uint32]uint32{}
				for _, b := range blocks {
					if b.quads == 0 || b.quads > blockElems/4 || b.flags != uint32(flags(params[b.segment])) {
						t.Errorf("block %+v", b)
					}
					for q := b.first; q < b.first+b.quads; q++ {
						if _, ok := owner[bank][q]; ok || int(4*q) >= l.banks[bank] {
							t.Fatalf("quad %d of bank %d is in two blocks or outside", q, bank)
						}
						owner[bank][q] = b.segment
					}
				}
			}
			for i, p := range params {
				at := l.places[i]
				if at.first%bankAlign != 0 || int64(l.banks[at.bank])*4 > limit {
					t.Errorf("%s at %+v in a bank of %d", p.Name, at, l.banks[at.bank])
				}
				for e := range p.Len() {
					if s, ok := owner[at.bank][uint32(at.first+e)/4]; !ok || s != uint32(i) {
						t.Fatalf("element %d of %s belongs to %d (%v)", e, p.Name, s, ok)
					}
				}
			}
			var all []block
			for _, blocks := range l.blocks {
				all = append(all, blocks...)
			}
			for i, s := range l.segments {
				for _, b := range all[s[0] : s[0]+s[1]] {
					if b.segment != uint32(i) {
						t.Errorf("segment %d has block %+v", i, b)
					}
				}
			}
		})
	}
}

func TestLayoutTooLarge(t *testing.T) {
	for _, shape := range [][]int{{1000}, {0}} {
		if _, err := NewLayout([]Param{{Name: "w", Shape: shape}}, func(Param) ParamFlags { return 0 }, 1024); err == nil {
			t.Errorf("a tensor of %v in banks of 1024 bytes is accepted", shape)
		}
	}
}

func TestBankTensor(t *testing.T) {
	l, err := NewLayout([]Param{{Name: "a", Shape: []int{5}}, {Name: "b", Shape: []int{2, 3}}}, func(Param) ParamFlags { return 0 }, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	b := l.NewBank(gpu.NewStore(), "weight")
	if x := b.Tensor("b"); x == nil || x.Name != "b" || x.Len() != 6 || x.Dim(1) != 3 {
		t.Errorf("b is %v", x)
	}
	if x := b.Tensor("c"); x != nil {
		t.Errorf("c is %v", x)
	}
}
