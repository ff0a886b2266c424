package op

import "dino-vk/gpu"

// attentionTile is the tile of scores that an invocation of an attention kernel
// with shared memory makes: one for each of rows own rows and cols others. A
// workgroup of 8 x 8 makes blocks of eight times that.
type attentionTile struct{ rows, cols int }

// attentionTiles are in order of the multiplications for a loaded element.
// Larger ones would leave a device too few invocations at a time.
var attentionTiles = []attentionTile{{5, 5}, {4, 4}, {3, 3}, {2, 2}, {1, 1}}

// work is how many scores a sequence's blocks have.
func (t attentionTile) work(length int) int {
	return roundUp(length, 8*t.rows) * roundUp(length, 8*t.cols)
}

// bytesFwd is the shared memory of attention_fwd_shared: queries, keys or
// probabilities with two quads of parts a row, values.
func (t attentionTile) bytesFwd(hd int) int {
	own, others, quads := 8*t.rows, 8*t.cols, hd/4
	return 16 * (own*(quads|1) + max(others*(quads|1), own*(2*t.cols|1)+2*own) + others*quads)
}

// sharedAttention are variants of a kernel with its operands in shared memory.
// Those fit that pad the sequence by at most a quarter more than the least.
func sharedAttention(module string, bytes func(attentionTile, int) int) []gpu.Variant {
	var list []gpu.Variant
	for _, tile := range attentionTiles {
		list = append(list, gpu.Variant{
			Module: module,
			Needs:  gpu.SharedMemory,
			Spec:   gpu.Spec{"ROWS": uint32(tile.rows), "COLS": uint32(tile.cols)},
			Fits: func(caps gpu.Caps, problem any) bool {
				p := problem.(attentionProblem)
				if p.hd%4 != 0 || bytes(tile, p.hd) > int(caps.SharedBytes) {
					return false
				}
				for _, other := range attentionTiles {
					if bytes(other, p.hd) <= int(caps.SharedBytes) && tile.work(p.length) > other.work(p.length)*5/4 {
						return false
					}
				}
				return true
			},
		})
	}
	return list
}
