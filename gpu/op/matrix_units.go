package op

import "dino-vk/gpu"

// matrixUnits finds the largest product of operands of a type, with sums of
// float32, that a device makes and that fits, and the size of the subgroups which
// make it.
func matrixUnits(caps gpu.Caps, operands gpu.Type, fits func(gpu.MatrixProduct) bool) (best gpu.MatrixProduct, subgroup int, ok bool) {
	for _, p := range caps.Products {
		if p.Operands == component(operands) && p.Sums == gpu.ComponentF32 && p.M%8 == 0 && p.N%8 == 0 && p.K%8 == 0 &&
			fits(p) && p.M*p.N*p.K > best.M*best.N*best.K {
			best = p
		}
	}
	subgroup = int(caps.SubgroupSize)
	// Units that make as many columns as a subgroup has invocations do so with no
	// other size: Intel's have 8 rows and 8 or 16 columns.
	if n := uint32(best.N); best.M == 8 && caps.MinSubgroup <= n && n <= caps.MaxSubgroup {
		subgroup = best.N
	}
	return best, subgroup, best.K > 0
}

// component is the type of a matrix's elements.
func component(t gpu.Type) gpu.Component {
	switch t {
	case gpu.F16:
		return gpu.ComponentF16
	case gpu.BF16:
		return gpu.ComponentBF16
	}
	return gpu.ComponentF32
}
