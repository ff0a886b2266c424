package op

import "dino-vk/gpu"

// Kernels that work on the rows of matrices (shaders/include/rows.glsl).

// rowAlign is the number of rows, of whatever width, after which a row begins
// at a multiple of 256 bytes, as a view must.
const rowAlign = 64

// span is a run of rows, or of other blocks of a tensor.
type span struct{ first, n int }

// of is the span's part of a tensor whose first axis counts the blocks.
func (s span) of(t *gpu.Tensor) *gpu.Tensor {
	if t == nil {
		return nil
	}
	return t.Rows(s.first, s.n)
}

// spans divides the rows of a matrix, and vectors with an element a row, into
// runs that one binding can span.
func spans(g *gpu.Graph, rows, width int) []span { return cuts(g, rows, width, 1) }

// cuts divides n blocks (rows, images) into runs whose part of every tensor, of
// so many elements a block, fits a binding and begins where a view may.
func cuts(g *gpu.Graph, n int, elements ...int) []span {
	limit, align := n, 1
	for _, e := range elements {
		limit = min(limit, int(g.Caps().MaxBinding/(4*int64(e))))
		align = max(align, rowAlign/gcd(rowAlign, e)) // powers of two, so the largest serves all
	}
	if limit < n {
		limit -= limit % align
	}
	if limit == 0 {
		g.Errorf("%w: a binding of %d bytes is too small for %d times %v elements",
			gpu.ErrOutOfMemory, g.Caps().MaxBinding, align, elements)
		return nil
	}
	var list []span
	for first := 0; first < n; first += limit {
		list = append(list, span{first, min(limit, n-first)})
	}
	return list
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// matrix views a tensor as rows of its last axis.
func matrix(t *gpu.Tensor) (m *gpu.Tensor, rows, width int) {
	width = t.Dim(-1)
	rows = t.Len() / width
	return t.Reshape(rows, width), rows, width
}

// rowsProblem is what the variants of a kernel built on rows.glsl are chosen by:
// the width of its rows, what would be read as texels, and what is written, where
// that matters.
type rowsProblem struct {
	width   int
	read    []*gpu.Tensor
	written *gpu.Tensor
}

// rowsKernel is built on rows.glsl in two variants: on a CPU, where that is
// faster, whole quads are read as texels.
func rowsKernel(name string) *gpu.Kernel {
	return &gpu.Kernel{Name: name, Variants: []gpu.Variant{
		{Module: name + "_texel", Fits: func(caps gpu.Caps, problem any) bool {
			p := problem.(rowsProblem)
			return caps.Kind == gpu.CPU && p.width%4 == 0 && fitsTexels(caps, p.read...)
		}},
		{Module: name},
	}}
}

// rowShader is a kernel built on rows.glsl with its lanes chosen, and the grid
// that covers the rows. read are the largest matrices that it reads.
func rowShader(g *gpu.Graph, k *gpu.Kernel, rows, width int, read ...*gpu.Tensor) (gpu.Shader, gpu.Groups) {
	return inRows(g, g.Pick(k, rowsProblem{width: width, read: read}), rows, width)
}

func inRows(g *gpu.Graph, sh gpu.Shader, rows, width int) (gpu.Shader, gpu.Groups) {
	n := lanes(g.Caps(), rows, width)
	if g.Caps().Kind == gpu.CPU && rowPasses*(width/4/n) > mostIterations {
		g.Errorf("rows of %d elements are too wide for this device", width)
	}
	return inQuads(sh, width).With("LANES", uint32(n)), grid(g, rows, 64/n)
}

// quadShader is a kernel built on rows.glsl whose invocations are not rows.
func quadShader(g *gpu.Graph, k *gpu.Kernel, width int, read ...*gpu.Tensor) gpu.Shader {
	return inQuads(g.Pick(k, rowsProblem{width: width, read: read}), width)
}

func inQuads(sh gpu.Shader, width int) gpu.Shader { return sh.With("QUADS", bit(width%4 == 0)) }

// lanes is how many invocations share a row: on a CPU one where the rows
// alone make work for every core, since barriers are slow there; on a GPU enough to read memory in order. No lane may
// loop too often.
func lanes(caps gpu.Caps, rows, width int) int {
	const groups = 8 // workgroups that keep a few cores busy
	n := 1
	for n < 64 && 4*n < width {
		if rowPasses*(width/4/n) > mostIterations {
			n *= 2
			continue
		}
		if caps.Kind == gpu.CPU && rows*n >= 64*groups {
			break
		}
		if caps.Kind != gpu.CPU && n == 32 && width < 2048 {
			break
		}
		n *= 2
	}
	return n
}

// bit is 1 for true: a flag among push constants.
func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
