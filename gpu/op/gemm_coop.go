package op

import "dino-vk/gpu"

// coopGEMM is the product of blocks of wide x tall tiles on matrix units, of
// operands rounded to 16 bits, by at least the given number of invocations.
// Larger blocks than the smallest are for products that have enough of them, be
// it by cutting their sums, if they add no more than a third to the work by
// overhanging.
func coopGEMM(module string, operands gpu.Type, needs gpu.Features, wide, tall, invocations int) gpu.Variant {
	spec := gpu.Spec{
		"TILES_X": uint32(wide), "TILES_Y": uint32(tall), "STEPS": coopSteps, "INVOCATIONS": uint32(invocations),
	}
	return gpu.Variant{
		Module: module,
		Needs:  gpu.SharedMemory | gpu.CoopMatrix | gpu.MemoryModel | gpu.SubgroupSizeControl | needs,
		Spec:   spec,
		Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(gemmProblem)
			if _, ok := coopOf(caps, p.Type, spec); !ok || p.Type != operands || !p.quads() {
				return false
			}
			blocks := ceilDiv(p.M, gemmTile*tall) * ceilDiv(p.N, gemmTile*wide)
			size := blocks * gemmTile * tall * gemmTile * wide
			least := roundUp(p.M, coopLeast) * roundUp(p.N, coopLeast)
			return gemmTile*max(wide, tall) == coopLeast || 3*size <= 4*least && blocks*coopMostParts(p.K) >= coopEnough
		},
	}
}

// coopVariants are the forms of a product on matrix units.
func coopVariants(module string, operands gpu.Type, needs gpu.Features) []gpu.Variant {
	return []gpu.Variant{
		coopGEMM(module, operands, needs, 16, 16, 256),
		coopGEMM(module, operands, needs, 8, 16, 128),
		coopGEMM(module, operands, needs, 8, 8, 128),
		coopGEMM(module, operands, needs, 4, 4, 32),
	}
}

const (
	coopSteps  = 32  // of the sum that are loaded at once
	coopLeast  = 32  // rows and columns of the smallest block
	coopEnough = 128 // blocks that keep any device busy
)

// coop is how a workgroup makes a block: with which product, in subgroups of
// which size, how many and how many of them side by side.
type coop struct {
	gpu.MatrixProduct
	subgroup, subgroups, across int
}

// coopOf divides the block of a variant for a device; not ok says that the
// device cannot make it.
func coopOf(caps gpu.Caps, operands gpu.Type, spec gpu.Spec) (c coop, ok bool) {
	rows, columns := gemmTile*int(spec["TILES_Y"]), gemmTile*int(spec["TILES_X"])
	steps, invocations := int(spec["STEPS"]), int(spec["INVOCATIONS"])
	c.MatrixProduct, c.subgroup, ok = matrixUnits(caps, operands, func(p gpu.MatrixProduct) bool { return steps%p.K == 0 })
	if !ok {
		return c, false
	}
	if !c.arrange(rows, columns, max(invocations/c.subgroup, 1)) {
		return c, false
	}
	n := c.subgroups * c.subgroup
	loads := rows*steps/8%n == 0 && columns*steps/8%n == 0
	return c, loads && n <= int(min(caps.MaxInvocations, caps.MaxSize[0])) && c.sharedBytes(rows, columns, steps) <= int(caps.SharedBytes)
}

// arrange divides a block among as many subgroups as it has whole matrices for, in
// the squarest parts, which need the fewest loads from shared memory, and rather
// wide than tall ones.
func (c *coop) arrange(rows, columns, most int) (ok bool) {
	for c.subgroups = most; c.subgroups > 0; c.subgroups /= 2 {
		least := 0
		for across := 1; across <= c.subgroups; across *= 2 {
			down := c.subgroups / across
			edge := rows/down + columns/across
			if rows%(down*c.M) == 0 && columns%(across*c.N) == 0 && (least == 0 || edge <= least) {
				c.across, least = across, edge
			}
		}
		if least > 0 {
			return true
		}
	}
	return false
}

// sharedBytes is the shared memory of a workgroup whichever operand is transposed;
// see gemm_coop.glsl.
func (c coop) sharedBytes(rows, columns, steps int) int {
	operand := func(extent int) int { return max(extent*(steps/8+1), steps*(extent/8+1)) }
	sums := c.subgroups / c.across * c.M * (columns/4 + 1)
	return 16 * max(operand(rows)+operand(columns), sums)
}

// onMatrixUnits tells a shader from coopGEMM how the device makes its blocks;
// it leaves others as they are.
func onMatrixUnits(caps gpu.Caps, operands gpu.Type, sh gpu.Shader) gpu.Shader {
	if _, ok := sh.Spec["INVOCATIONS"]; !ok {
		return sh
	}
	c, _ := coopOf(caps, operands, sh.Spec) // it fits, or it were not picked
	for name, value := range map[string]int{
		"INVOCATIONS": c.subgroups * c.subgroup, "SUBGROUP": c.subgroup, "SUBGROUPS_X": c.across,
		"MATRIX_M": c.M, "MATRIX_N": c.N, "MATRIX_K": c.K,
	} {
		sh = sh.With(name, uint32(value))
	}
	return sh
}

// coopParts is into how many parts to cut a sum of k elements so that that many
// blocks keep the device busy.
func coopParts(blocks, k int) int {
	return max(ceilDiv(k, mostIterations/2), min(2*coopEnough/blocks, coopMostParts(k)))
}

// coopMostParts is how many parts are worth their addition: eight, of 512
// elements or more.
func coopMostParts(k int) int { return max(1, min(k/512, 8)) }
