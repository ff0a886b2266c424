package op

import "dino-vk/gpu"

// Run is a number of sequences of equal length that stand one behind another
// in the rows of a packed tensor.
type Run struct {
	Sequences int
	Length    int // tokens of a sequence, CLS included
}

// Tokens is the number of tokens of all runs together: the rows of a packed
// tensor.
func Tokens(runs []Run) int {
	n := 0
	for _, r := range runs {
		n += r.Sequences * r.Length
	}
	return n
}

// Sequences is the number of sequences of all runs together.
func Sequences(runs []Run) int {
	n := 0
	for _, r := range runs {
		n += r.Sequences
	}
	return n
}

// stretch is some sequences of a run, seen through a view of a packed tensor
// that a binding can span: rows first to first+rows, where the sequences begin
// at row start.
type stretch struct {
	Run
	first, rows, start int
}

// stretches divides the runs, whose rows have at most width elements, so that
// the view of each part fits a binding and begins where a view may.
func stretches(g *gpu.Graph, runs []Run, width int) []stretch {
	limit := int(g.Caps().MaxBinding / (4 * int64(width)))
	var list []stretch
	row := 0
	for _, r := range runs {
		for left := r.Sequences; left > 0; {
			first := row / rowAlign * rowAlign
			n := min(left, (limit-(row-first))/r.Length)
			if n < 1 {
				g.Errorf("a binding of %d bytes is too small for %d rows of %d elements", g.Caps().MaxBinding, r.Length, width)
				return nil
			}
			rows := row - first + n*r.Length
			list = append(list, stretch{Run{n, r.Length}, first, rows, row - first})
			row += n * r.Length
			left -= n
		}
	}
	return list
}

// of is the stretch's view of a packed tensor.
func (s stretch) of(t *gpu.Tensor) *gpu.Tensor { return t.Rows(s.first, s.rows) }

// parts divides the sequences of a run, whose rows have at most width elements,
// so that a binding can span the alignedRows of each part.
func (r Run) parts(g *gpu.Graph, width int) []span {
	return cuts(g, r.Sequences, (r.Length+rowAlign)*width)
}

// alignedRows views n rows of a matrix from row first on. A view that can't
// begin there begins start rows early, fewer than rowAlign.
func alignedRows(t *gpu.Tensor, first, n int) (view *gpu.Tensor, start int) {
	start = first % rowAlign
	return t.Rows(first-start, start+n), start
}

// checkRuns records an error unless the runs fill the rows of x.
func checkRuns(g *gpu.Graph, x *gpu.Tensor, rows int, runs []Run) bool {
	for _, r := range runs {
		if r.Sequences < 1 || r.Length < 1 {
			g.Errorf("a run of %d sequences of %d tokens", r.Sequences, r.Length)
			return false
		}
	}
	if rows != Tokens(runs) {
		g.Errorf("%v has %d rows: the runs %v have %d tokens", x, rows, runs, Tokens(runs))
		return false
	}
	return true
}

// Runs are the sequences of all crops as runs: global crops, then local ones.
func (p Packing) Runs() []Run {
	runs := []Run{{p.Globals * p.Batch, p.GlobalTokens}}
	if p.Crops > p.Globals {
		runs = append(runs, Run{(p.Crops - p.Globals) * p.Batch, p.LocalTokens})
	}
	return runs
}
