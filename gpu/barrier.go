package gpu

// barriers finds the nodes before which a memory barrier must stand. Two
// accesses conflict if their ranges of planned memory overlap and one of them
// writes; a barrier orders everything before it against everything after it,
// so only the accesses since the last one are remembered.
func barriers(nodes []node, locate func(access) (*memory, int64, int64)) []bool {
	need := make([]bool, len(nodes))
	type span struct {
		begin, end int64
		write      bool
	}
	open := map[*memory][]span{}
	for i := range nodes {
		list := nodes[i].accesses()
		for _, a := range list {
			space, begin, end := locate(a)
			for _, s := range open[space] {
				if begin < s.end && s.begin < end && (a.write || s.write) {
					need[i] = true
				}
			}
		}
		if need[i] {
			clear(open)
		}
		for _, a := range list {
			space, begin, end := locate(a)
			open[space] = append(open[space], span{begin, end, a.write})
		}
	}
	return need
}
