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

// WorkgroupProduct is a product of matrices of any multiples of M, N and K that a
// workgroup of that many invocations makes at once on a device with CoopMatrix2.
type WorkgroupProduct struct {
	MatrixProduct
	Invocations int
}

// matrixProducts keeps of what a device reports the products of floats with
// one type of operands and one of sums, shared by a subgroup.
func matrixProducts(reported []vk.CooperativeMatrix) []MatrixProduct {
	var list []MatrixProduct
	for _, r := range reported {
		if p, ok := matrixProduct(r, vk.ScopeSubgroup); ok {
			list = append(list, p)
		}
	}
	return list
}

// workgroupProducts does the same with the products that a workgroup shares.
func workgroupProducts(reported []vk.FlexibleMatrix) []WorkgroupProduct {
	var list []WorkgroupProduct
	for _, r := range reported {
		if p, ok := matrixProduct(r.CooperativeMatrix, vk.ScopeWorkgroup); ok {
			list = append(list, WorkgroupProduct{p, int(r.Invocations)})
		}
	}
	return list
}

var components = map[uint32]Component{
	vk.ComponentFloat16: ComponentF16, vk.ComponentBFloat16: ComponentBF16,
	vk.ComponentFloat32: ComponentF32, vk.ComponentFloat64: ComponentF64,
}

func matrixProduct(r vk.CooperativeMatrix, scope uint32) (p MatrixProduct, ok bool) {
	operands, ok := components[r.A]
	sums, okSums := components[r.C]
	return MatrixProduct{int(r.M), int(r.N), int(r.K), operands, sums},
		ok && okSums && r.A == r.B && r.C == r.Result && r.Scope == scope
}
