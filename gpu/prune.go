package gpu

import "slices"

// Prune drops the commands whose results nothing reads: those that write
// nothing but tensors of the graph, of which no later command that stays reads
// a part. It returns how many they were.
func (g *Graph) Prune() int {
	before := len(g.nodes)
	read := map[*memory]bool{} // by what stays and comes later
	slices.Reverse(g.nodes)
	g.nodes = slices.DeleteFunc(g.nodes, func(n node) bool {
		uses := n.accesses()
		stays := slices.ContainsFunc(uses, func(a access) bool {
			return a.write && (a.mem.owner != g || read[a.mem])
		})
		for _, a := range uses {
			read[a.mem] = read[a.mem] || stays && a.read
		}
		return !stays
	})
	slices.Reverse(g.nodes)
	return before - len(g.nodes)
}
