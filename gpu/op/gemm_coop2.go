package op

import (
	"slices"

	"dino-vk/gpu"
)

// coop2GEMM is the product of blocks of wide x tall tiles on matrix units, of
// matrices that a workgroup of that many invocations shares; operands and results
// go between memory and the units as they are.
func coop2GEMM(module string, operands gpu.Type, needs gpu.Features, wide, tall, invocations int) gpu.Variant {
	spec := gpu.Spec{
		"TILES_X": uint32(wide), "TILES_Y": uint32(tall), "STEPS": coop2Steps, "INVOCATIONS": uint32(invocations),
	}
	return gpu.Variant{
		Module: module,
		Needs:  gpu.SharedMemory | gpu.CoopMatrix | gpu.CoopMatrix2 | gpu.MemoryModel | gpu.Float16 | gpu.Storage16 | needs,
		Spec:   spec,
		Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(gemmProblem)
			return p.Type == operands && p.direct() && coop2Makes(caps, operands, spec) &&
				worthBlocks(caps, p.gemmSize, wide, tall, 8)
		},
	}
}

// coop2Variants are the forms of a product on matrices that a workgroup shares.
func coop2Variants(module string, operands gpu.Type, needs gpu.Features) []gpu.Variant {
	return []gpu.Variant{
		coop2GEMM(module, operands, needs, 32, 16, 256),
		coop2GEMM(module, operands, needs, 16, 16, 256),
		coop2GEMM(module, operands, needs, 8, 8, 128),
	}
}

const coop2Steps = 64 // of the sum at a time

// direct reports whether a product's matrices can go between memory and the units
// as they are: operands of its type, results of that or of float32, rows of
// multiples of sixteen bytes.
func (p gemmProblem) direct() bool {
	for _, t := range []*gpu.Tensor{p.C, p.Slope} {
		if t != nil && t.Type != gpu.F32 && t.Type != p.Type {
			return false
		}
	}
	a, b := p.widths()
	return p.A.Type == p.Type && p.B.Type == p.Type && a%8 == 0 && b%8 == 0 && p.N%8 == 0
}

// coop2Makes reports whether a device makes a variant's matrices at once, and holds
// results of 16 bits, be they bfloat16, as sums of float16.
func coop2Makes(caps gpu.Caps, operands gpu.Type, spec gpu.Spec) bool {
	rows, columns, steps := gemmTile*int(spec["TILES_Y"]), gemmTile*int(spec["TILES_X"]), int(spec["STEPS"])
	n := int(spec["INVOCATIONS"])
	if max(rows, columns, steps) > caps.MaxMatrix || n > int(min(caps.MaxInvocations, caps.MaxSize[0])) || caps.ReservedShared > caps.SharedBytes {
		return false
	}
	makes := func(operands, sums gpu.Component) bool {
		return slices.ContainsFunc(caps.WorkgroupProducts, func(p gpu.WorkgroupProduct) bool {
			return p.Operands == operands && p.Sums == sums && p.Invocations == n && rows%p.M == 0 && columns%p.N == 0 && steps%p.K == 0
		})
	}
	return makes(component(operands), gpu.ComponentF32) && makes(gpu.ComponentF16, gpu.ComponentF16)
}
