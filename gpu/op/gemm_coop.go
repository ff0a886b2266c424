package op

import "dino-vk/gpu"

// coopGEMM is the product of blocks of wide x tall tiles on matrix units, of
// operands rounded to 16 bits, by at least the given number of invocations.
func coopGEMM(module string, operands gpu.Type, needs gpu.Features, wide, tall, invocations int) gpu.Variant {
	spec := gpu.Spec{
		"TILES_X": uint32(wide), "TILES_Y": uint32(tall), "STEPS": coopSteps, "INVOCATIONS": uint32(invocations), "SUBGROUPS_X": 1,
	}
	return gpu.Variant{
		Module: module,
		Needs:  gpu.SharedMemory | gpu.CoopMatrix | gpu.MemoryModel | gpu.SubgroupSizeControl | needs,
		Spec:   spec,
		Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(gemmProblem)
			_, ok := coopOf(caps, operands, spec)
			return ok && p.Type == operands && p.quads() && worthBlocks(caps, p.gemmSize, wide, tall, 4)
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
	coopSteps = 32  // of the sum that are loaded at once
	coopUnits = 128 // of a device that does not tell how many it has
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

// divided tells a shader from coopGEMM how the device divides its blocks; it leaves
// others as they are.
func divided(caps gpu.Caps, operands gpu.Type, sh gpu.Shader) gpu.Shader {
	if _, ok := sh.Spec["SUBGROUPS_X"]; !ok {
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

// worthBlocks reports whether a product is large enough for blocks of wide x tall
// tiles: there are enough of them, be it by cutting the sums, and they add no more
// than an eighth to the work of smaller ones by overhanging. The smallest blocks,
// of `least` x `least` tiles, are for any.
func worthBlocks(caps gpu.Caps, s gemmSize, wide, tall, least int) bool {
	if max(wide, tall) == least {
		return true
	}
	const small = 64 // rows and columns of blocks that the larger ones are held against
	blocks := ceilDiv(s.M, gemmTile*tall) * ceilDiv(s.N, gemmTile*wide)
	size := roundUp(s.M, gemmTile*tall) * roundUp(s.N, gemmTile*wide)
	return 8*size <= 9*roundUp(s.M, small)*roundUp(s.N, small) && 4*blocks*coopMostParts(s.K) >= 3*units(caps)
}

func units(caps gpu.Caps) int {
	if caps.Units == 0 {
		return coopUnits
	}
	return int(caps.Units)
}

// coopParts is into how many parts to cut a sum of k elements so that blocks
// occupy all units once, or twice by three parts.
func coopParts(caps gpu.Caps, blocks, k int) int {
	parts := 1
	switch n := units(caps); {
	case 2*blocks <= n:
		parts = n / blocks
	case 3*blocks <= 2*n:
		parts = 3
	}
	return max(ceilDiv(k, mostIterations/2), min(parts, coopMostParts(k)))
}

// coopMostParts is how many parts are worth their addition: eight, of 512
// elements or more.
func coopMostParts(k int) int { return max(1, min(k/512, 8)) }
