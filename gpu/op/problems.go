package op

import (
	"fmt"
	"slices"

	"dino-vk/gpu"
)

// The shapes of problems, see gpu.Problem.

// Shape is the product's, and whether it is a part of a larger one.
func (p gemmProblem) Shape() (string, gpu.Type) {
	s, typ := p.sizes()
	if !p.whole {
		s += " cut"
	}
	return s, typ
}

// sizes writes the sizes of the product, what is transposed, what follows it,
// and the types of A, B and C.
func (p gemmProblem) sizes() (string, gpu.Type) {
	s := fmt.Sprintf("%dx%dx%d", p.M, p.N, p.K)
	for _, part := range []struct {
		name string
		on   bool
	}{
		{"A^T", p.GEMM.TransA}, {"B^T", p.GEMM.TransB},
		{"bias", p.Bias != nil}, {"gelu", p.GELU}, {"slope", p.Slope != nil},
		{"factor", p.Factor != nil}, {"residual", p.Residual != nil}, {"accumulate", p.Accumulate}, {"sums", p.Sums != nil},
	} {
		if part.on {
			s += " " + part.name
		}
	}
	types, typ := types(p.A, p.B, p.C)
	if p.Type != gpu.F32 {
		typ = p.Type
		s += fmt.Sprintf(" in %v", typ)
	}
	return s + types, typ
}

// Shape is the product's and the number of its parts.
func (p gemmReduceProblem) Shape() (string, gpu.Type) {
	s, typ := p.gemmProblem.sizes()
	return fmt.Sprintf("%s of %d parts", s, p.sums.Dim(0)), typ
}

// Shape is the head dimension, the length of the sequences, the rows, and their
// type.
func (p attentionProblem) Shape() (string, gpu.Type) {
	s := fmt.Sprintf("%d of %d, %d rows of %d", p.length, p.hd, p.rows, p.width)
	if p.typ != gpu.F32 {
		s += fmt.Sprintf(" %v", p.typ)
	}
	return s, p.typ
}

// Shape is that of the matrices that are read, and of what is written.
func (p rowsProblem) Shape() (string, gpu.Type) {
	if p.written == nil {
		return shapes(p.read)
	}
	return shapes(append(slices.Clip(p.read), p.written))
}

// Shape is that of the matrix.
func (p colSumProblem) Shape() (string, gpu.Type) { return shapes([]*gpu.Tensor{p.Tensor}) }

// Shape is that of the tensors.
func (p elements) Shape() (string, gpu.Type) { return shapes(p) }

// Shape is that of the banks, and whether there are copies.
func (p adamWProblem) Shape() (string, gpu.Type) {
	s, typ := p.elements.Shape()
	if p.copies {
		s += " copies"
	}
	return s, typ
}

// Shape is that of the images that are read, and what is done with them.
func (p imageProblem) Shape() (string, gpu.Type) {
	s, typ := shapes(p.read)
	return s + p.more, typ
}

// shapes writes the tensors' shapes and types; one may be absent.
func shapes(list []*gpu.Tensor) (string, gpu.Type) {
	s := ""
	for _, t := range list {
		if t == nil {
			s += "[]"
			continue
		}
		s += fmt.Sprint(t.Shape)
	}
	types, typ := types(list...)
	return s + types, typ
}

// types writes the tensors' types if not all are float32, and gives the narrowest.
func types(list ...*gpu.Tensor) (s string, narrowest gpu.Type) {
	for _, t := range list {
		if t == nil {
			continue
		}
		s += fmt.Sprintf(" %v", t.Type)
		if t.Type.Narrow() {
			narrowest = t.Type
		}
	}
	if narrowest == gpu.F32 {
		s = ""
	}
	return s, narrowest
}
