package gpu

import (
	"cmp"
	"fmt"
	"slices"
)

// Recorder records graphs for a device of these capabilities.
type Recorder func(caps Caps) ([]*Graph, error)

// task is a problem with the variants that can run it, best first.
type task struct {
	problem  string
	typ      Type
	untimed  bool  // see Kernel
	weight   int64 // bytes that the recordings' commands for it are given
	attempts []attempt
}

// attempt is what a variant makes of a task.
type attempt struct {
	variant string
	needs   Features
	nodes   []node
}

// tasks collects what recordings ask of kernels of which more than one variant
// is sound, the heaviest first: whole ones, or the others. It records once for
// each of a kernel's variants; as it does, plainest lets all other choices fall on
// the plainest.
func (c Choices) tasks(caps Caps, record Recorder, whole, plainest bool) ([]*task, error) {
	var list []*task
	index := map[string]*task{}
	c.forced = &forced{whole: whole, plainest: plainest}
	caps.Choices = &c
	for most := 1; c.forced.number < most; c.forced.number++ {
		graphs, err := record(caps)
		if err != nil {
			return nil, err
		}
		number := c.forced.number
		for _, g := range graphs {
			if g.err != nil {
				return nil, g.err
			}
			nodes := g.picked()
			for i, p := range g.picks {
				sound := c.sound(p.fits)
				if p.problem == "" || p.whole != whole || len(sound) < max(number+1, 2) || len(nodes[i]) == 0 {
					continue
				}
				most = max(most, len(sound))
				t := index[p.problem]
				if t == nil {
					t = &task{problem: p.problem, typ: p.typ, untimed: p.untimed, attempts: make([]attempt, len(sound))}
					index[p.problem] = t
					list = append(list, t)
				}
				if len(t.attempts) != len(sound) {
					return nil, fmt.Errorf("gpu: of two problems %q one fits %d variants and one %d", p.problem, len(t.attempts), len(sound))
				}
				if number == 0 {
					t.weight += weight(nodes[i])
				}
				if a := &t.attempts[number]; a.nodes == nil {
					*a = attempt{p.chosen.Name(), p.chosen.Needs, nodes[i]}
				}
			}
		}
	}
	for _, t := range list { // a variant that depends on another choice may have none
		t.attempts = slices.DeleteFunc(t.attempts, func(a attempt) bool { return len(a.nodes) == 0 })
	}
	list = slices.DeleteFunc(list, func(t *task) bool { return len(t.attempts) < 2 })
	slices.SortStableFunc(list, func(a, b *task) int { return cmp.Compare(b.weight, a.weight) })
	return list, nil
}

func weight(nodes []node) int64 {
	var bytes int64
	for _, n := range nodes {
		for _, arg := range n.args {
			if arg != nil {
				bytes += arg.Bytes()
			}
		}
	}
	return bytes
}

// picked sorts the graph's nodes by the pick that decided them.
func (g *Graph) picked() [][]node {
	nodes := make([][]node, len(g.picks))
	for _, n := range g.nodes {
		own := n.shader.pick
		for _, pick := range []int{n.whole, own} {
			if pick > 0 {
				nodes[pick-1] = append(nodes[pick-1], n)
			}
			if n.whole == own {
				break
			}
		}
	}
	return nodes
}

// Task is a problem and the variants that can run it.
type Task struct {
	Problem  string   // the kernel and the shape
	Variants []string // the best first, the plainest last
}

// Tasks lists the problems that recordings ask of kernels with more than one
// variant, as Tune takes them.
func Tasks(caps Caps, record Recorder) ([]Task, error) {
	var named []Task
	for _, whole := range []bool{false, true} {
		list, err := Choices{}.tasks(caps, record, whole, true)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			one := Task{Problem: t.problem}
			for _, a := range t.attempts {
				one.Variants = append(one.Variants, a.variant)
			}
			named = append(named, one)
		}
	}
	return named, nil
}
