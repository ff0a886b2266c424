package gpu

import (
	"fmt"

	"dino-vk/gpu/internal/vk"
)

// MatrixProduct is a product that a subgroup makes at once on a device with
// CoopMatrix: A (M, K) times B (K, N), added to sums (M, N).
type MatrixProduct struct {
	M, N, K        int
	Operands, Sums Component // of A and B, and of what is added and results
}

// Component is the type of a matrix's elements.
type Component uint8

// Types of elements.
const (
	ComponentF16 Component = iota
	ComponentBF16
	ComponentF32
	ComponentF64
)

func (c Component) String() string { return [...]string{"fp16", "bf16", "fp32", "fp64"}[c] }

func (p MatrixProduct) String() string {
	return fmt.Sprintf("%dx%dx%d %v to %v", p.M, p.N, p.K, p.Operands, p.Sums)
}

// matrixProducts keeps of what a device reports the products of floats with
// one type of operands and one of sums, shared by a subgroup.
func matrixProducts(reported []vk.CooperativeMatrix) []MatrixProduct {
	known := map[uint32]Component{
		vk.ComponentFloat16: ComponentF16, vk.ComponentBFloat16: ComponentBF16,
		vk.ComponentFloat32: ComponentF32, vk.ComponentFloat64: ComponentF64,
	}
	var list []MatrixProduct
	for _, r := range reported {
		operands, ok := known[r.A]
		sums, okSums := known[r.C]
		if ok && okSums && r.A == r.B && r.C == r.Result && r.Scope == vk.ScopeSubgroup {
			list = append(list, MatrixProduct{int(r.M), int(r.N), int(r.K), operands, sums})
		}
	}
	return list
}
