package op

import "dino-vk/gpu"

// attentionTile is the tile of scores that an invocation of an attention kernel
// with shared memory makes: one for each of rows own rows and cols others. A
// workgroup of 8 x 8 makes blocks of eight times that.
type attentionTile struct{ rows, cols int }

// attentionTiles are in order of the multiplications for a loaded element.
// Larger ones would leave a device too few invocations at a time.
var attentionTiles = []attentionTile{{5, 5}, {4, 4}, {4, 3}, {3, 3}, {2, 2}, {1, 1}}

// work is how many scores a sequence's blocks have.
func (t attentionTile) work(length int) int {
	return roundUp(length, 8*t.rows) * roundUp(length, 8*t.cols)
}

// sharedAttention are variants of a kernel with its operands in shared memory,
// of which a tile needs so many bytes for a head dimension. Those fit that pad
// the sequence by at most a quarter more than the least.
func sharedAttention(module string, bytes func(t attentionTile, hd int) int) []gpu.Variant {
	return sharedAttentionWhere(module, func(caps gpu.Caps, p attentionProblem, t attentionTile) bool {
		return p.hd%4 == 0 && bytes(t, p.hd) <= int(caps.SharedBytes)
	})
}

// onceAttention are such variants for sequences that are one block.
func onceAttention(module string) []gpu.Variant {
	return sharedAttentionWhere(module, func(caps gpu.Caps, p attentionProblem, t attentionTile) bool {
		return t.rows == t.cols && p.length <= 8*t.rows && p.hd%4 == 0 && t.bytesOnce(p.hd) <= int(caps.SharedBytes)
	})
}

func sharedAttentionWhere(module string, can func(gpu.Caps, attentionProblem, attentionTile) bool) []gpu.Variant {
	var list []gpu.Variant
	for _, tile := range attentionTiles {
		list = append(list, gpu.Variant{
			Module: module,
			Needs:  gpu.SharedMemory,
			Spec:   gpu.Spec{"ROWS": uint32(tile.rows), "COLS": uint32(tile.cols)},
			Fits: func(caps gpu.Caps, problem any) bool {
				p := problem.(attentionProblem)
				for _, other := range attentionTiles {
					if can(caps, p, other) && tile.work(p.length) > other.work(p.length)*5/4 {
						return false
					}
				}
				return can(caps, p, tile)
			},
		})
	}
	return list
}

// Shared memory of the modules, in bytes: rows of operands, of `row` quads, and
// of scores.

func (t attentionTile) bytesFwd(hd int) int {
	own, others, row, scores := t.quads(hd)
	return 16 * (own*row + max(others*row, own*scores+2*own) + others*row)
}

func (t attentionTile) bytesBwdQ(hd int) int {
	own, others, row, scores := t.quads(hd)
	return 16 * (2*own*row + others*row + max(others*row, own*scores))
}

func (t attentionTile) bytesBwdKV(hd int) int {
	own, others, row, scores := t.quads(hd)
	return 16 * (2*own*row + 2*others*row + own*scores)
}

func (t attentionTile) bytesOnce(hd int) int {
	own, _, row, scores := t.quads(hd)
	return 16*(3*own*row+max(own*row, own*scores)) + 4*own
}

// quads are the rows of a block and the quads of a row as attention_shared.glsl
// lays them out.
func (t attentionTile) quads(hd int) (own, others, row, scores int) {
	row = hd / 4
	if row%8 != 0 {
		row |= 1
	}
	return 8 * t.rows, 8 * t.cols, row, 2*t.cols | 1
}
