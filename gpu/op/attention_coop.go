package op

import (
	"slices"
	"strings"

	"dino-vk/gpu"
)

// coopAttention are variants of an attention kernel on matrix units, for tensors
// of float16 and of bfloat16, in the order in which they are worth a trial. Units
// that convert their sums to operands go before others.
func coopAttention(kernel string, shapes ...attentionShape) []gpu.Variant {
	var list []gpu.Variant
	for _, shape := range shapes {
		for _, converts := range []bool{true, false} {
			module, needs := kernel+"_coop", gpu.Features(0)
			if shape.converts = converts; converts {
				module, needs = kernel+"_coop2", gpu.CoopConversions
			}
			list = append(list,
				shape.variant(module, gpu.F16, gpu.Float16|needs),
				shape.variant(module+"_bf16", gpu.BF16, gpu.BFloat16|needs))
		}
	}
	return list
}

func (s attentionShape) variant(module string, operands gpu.Type, needs gpu.Features) gpu.Variant {
	return gpu.Variant{
		Module: module,
		Needs:  gpu.SharedMemory | gpu.CoopMatrix | gpu.MemoryModel | gpu.SubgroupSizeControl | needs,
		Spec:   gpu.Spec{"ROWS": uint32(s.rows), "COLS": uint32(s.cols), "KINDS": uint32(s.kinds)},
		Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(attentionProblem)
			if p.typ != operands || p.hd > s.widest {
				return false
			}
			a, ok := s.arrange(caps, p)
			// Two matrices of own rows are for sequences that fill them.
			return ok && 10*roundUp(p.length, s.rows*a.M) <= 11*roundUp(p.length, a.M)
		},
	}
}

// attentionSubgroups is how many subgroups a workgroup on matrix units has at
// most: then a sequence of 197 tokens has two, of which one multiplies while the
// other waits for its operands.
const attentionSubgroups = 8

// attentionShape is how many matrices of own rows a subgroup of such a kernel
// has, of how many matrices of other rows it makes scores at a time, how many
// kinds of scores it rounds for further products, and the widest head for which
// registers suffice.
type attentionShape struct {
	rows, cols, kinds, widest int
	converts                  bool // the units convert their sums
}

// attentionArrangement is a workgroup of such a kernel on a device: the product
// of its units, its subgroups and their size.
type attentionArrangement struct {
	gpu.MatrixProduct
	subgroup, subgroups int
}

// arrange divides a sequence among as many workgroups as need be, evenly; not ok
// says that the device cannot do it.
func (s attentionShape) arrange(caps gpu.Caps, p attentionProblem) (a attentionArrangement, ok bool) {
	a.MatrixProduct, a.subgroup, ok = matrixUnits(caps, p.typ, func(u gpu.MatrixProduct) bool {
		return p.hd%u.N == 0 && p.hd%u.K == 0 && s.cols*u.N%u.K == 0
	})
	if !ok || !s.rounds(caps, a, p) {
		return a, false
	}
	lines := ceilDiv(p.length, s.rows*a.M)
	for groups := ceilDiv(lines, attentionSubgroups); ; groups++ {
		a.subgroups = ceilDiv(lines, groups)
		if a.subgroups*a.subgroup <= int(min(caps.MaxInvocations, caps.MaxSize[0])) && s.bytes(a, p) <= int(caps.SharedBytes) {
			return a, true
		}
		if a.subgroups == 1 {
			return a, false
		}
	}
}

// rounds tells whether a subgroup can round its matrices: to operands of their
// size, else float16 as matrices that the device has for sums, and bfloat16 by
// quads of which its invocations have equally many.
func (s attentionShape) rounds(caps gpu.Caps, a attentionArrangement, p attentionProblem) bool {
	if s.converts {
		return a.N == a.K
	}
	if p.typ == gpu.F16 {
		rounded := a.MatrixProduct
		rounded.Sums = gpu.ComponentF16
		return slices.Contains(caps.Products, rounded)
	}
	quads := s.rows * a.M / 4
	return quads*s.kinds*s.cols*a.N%a.subgroup == 0 && quads*p.hd%a.subgroup == 0
}

// bytes is the shared memory of a workgroup; see attention_coop.glsl.
func (s attentionShape) bytes(a attentionArrangement, p attentionProblem) int {
	lines, others := s.rows*a.M, s.cols*a.N
	var scratch int
	switch scores := s.kinds * others; {
	case s.converts:
		scratch = lines * max(p.hd/8+1, a.N/4+1)
	case p.typ == gpu.F16:
		scratch = lines * (max(p.hd, scores)/8 + 1)
	default:
		scratch = lines * (max(p.hd, scores)/4 + 1)
	}
	return 16*(2*others*(p.hd/8+1)+a.subgroups*scratch) + 4*(a.subgroups*lines+2*others)
}

// onAttentionUnits tells a shader of coopAttention how its workgroups are
// arranged; it leaves others as they are.
func onAttentionUnits(caps gpu.Caps, p attentionProblem, sh gpu.Shader) gpu.Shader {
	if _, ok := sh.Spec["KINDS"]; !ok {
		return sh
	}
	shape := attentionShape{
		rows: int(sh.Spec["ROWS"]), cols: int(sh.Spec["COLS"]), kinds: int(sh.Spec["KINDS"]),
		converts: strings.Contains(sh.Module, "_coop2"),
	}
	a, _ := shape.arrange(caps, p) // it fits, or it were not picked
	for name, value := range map[string]int{
		"INVOCATIONS": a.subgroups * a.subgroup, "SUBGROUP": a.subgroup, "MATRIX_M": a.M, "MATRIX_N": a.N, "MATRIX_K": a.K,
	} {
		sh = sh.With(name, uint32(value))
	}
	return sh
}
