package gpu

import (
	"errors"
	"fmt"
)

// Groups is the number of workgroups of a dispatch by axis.
type Groups [3]int

// Graph is a recording of dispatches, copies and fills in the order in which
// they take effect. Recording makes no Vulkan call. The first error sticks:
// Err and Compile return it.
type Graph struct {
	caps    Caps
	nodes   []node
	picks   []pick
	whole   int       // number of the pick that decides what is recorded, from 1; 0: none
	scratch []*memory // transient tensors
	written map[*memory]bool
	scope   string
	err     error
}

type nodeKind uint8

const (
	dispatchNode nodeKind = iota
	copyNode
	fillNode
)

// node is one recorded command.
type node struct {
	kind   nodeKind
	scope  string
	whole  int // as the graph's was
	shader Shader
	module *module
	groups Groups
	push   block
	args   []*Tensor // dispatch: by binding, nil = absent; copy: dst, src; fill: dst
	value  uint32    // fill
}

// NewGraph begins a recording for a device of these capabilities.
func NewGraph(caps Caps) *Graph {
	return &Graph{caps: caps, written: map[*memory]bool{}}
}

// Caps are the capabilities that the graph is recorded for.
func (g *Graph) Caps() Caps { return g.caps }

// Err is the first error of the recording.
func (g *Graph) Err() error { return g.err }

// Errorf records an error at the present scope if it is the first.
func (g *Graph) Errorf(format string, args ...any) {
	if g.err != nil {
		return
	}
	g.err = fmt.Errorf(format, args...)
	if g.scope != "" {
		g.err = fmt.Errorf("%s: %w", g.scope, g.err)
	}
}

// Scope names what is recorded until the returned function is called, for
// errors and traces: defer g.Scope("block 3")(). Scopes nest.
func (g *Graph) Scope(name string) (end func()) {
	if g.scope != "" {
		name = g.scope + "/" + name
	}
	return g.Within(name)
}

// Within is Scope with a whole name, as ScopeName gave it.
func (g *Graph) Within(scope string) (end func()) {
	outer := g.scope
	g.scope = scope
	return func() { g.scope = outer }
}

// ScopeName is the present scope's whole name.
func (g *Graph) ScopeName() string { return g.scope }

// New is a tensor that lives within the graph, in memory that the planner
// shares between tensors which are not needed at the same time.
func (g *Graph) New(name string, typ Type, shape ...int) *Tensor {
	t := &Tensor{Name: name, Shape: append([]int(nil), shape...), Type: typ}
	for _, d := range shape {
		if d <= 0 {
			g.Errorf("tensor %v: every extent must be positive", t)
		}
	}
	t.mem = &memory{name: name, bytes: t.Bytes(), owner: g, index: len(g.scratch)}
	g.scratch = append(g.scratch, t.mem)
	return t
}

// Dispatch records a run of a shader. args are its buffers by binding number;
// a nil argument is an absent one, in whose place some memory that
// the shader must not touch is bound. push is a struct of 4-byte scalars (or
// arrays of them) and Addresses whose fields are those of the shader's push-constant block,
// or nil. Whether an argument is read or written follows from the shader.
func (g *Graph) Dispatch(s Shader, groups Groups, push any, args ...*Tensor) {
	if g.err != nil {
		return
	}
	if err := g.dispatch(s, groups, push, args); err != nil {
		g.Errorf("%s: %w", s.Kernel, err)
	}
}

func (g *Graph) dispatch(s Shader, groups Groups, push any, args []*Tensor) error {
	m, err := loadModule(s.Module)
	if err != nil {
		return err
	}
	if missing := m.needs &^ g.caps.Features; missing != 0 {
		return fmt.Errorf("module %s needs what the device lacks: %v", s.Module, missing)
	}
	for name := range s.Spec {
		if _, ok := m.specIDs[name]; !ok {
			return fmt.Errorf("module %s has no specialization constant %s", s.Module, name)
		}
	}
	for axis, n := range groups {
		if n < 1 || int64(n) > int64(g.caps.MaxGroups[axis]) {
			return fmt.Errorf("%d workgroups on axis %d: allowed are 1 to %d", n, axis, g.caps.MaxGroups[axis])
		}
	}
	pushed, err := encodePush(push, m.push)
	if err != nil {
		return err
	}
	if n := len(pushed.bytes); n > int(g.caps.MaxPush) {
		return fmt.Errorf("%d bytes of push constants: the device takes %d", n, g.caps.MaxPush)
	}
	for _, arg := range pushed.addresses {
		if g.caps.Features&BufferDeviceAddress == 0 || int(arg) >= len(args) || args[arg] == nil {
			return fmt.Errorf("the address of argument %d, which is absent or on a device without addresses", arg)
		}
	}
	if len(args) != len(m.bindings) {
		return fmt.Errorf("%d tensors for the %d bindings of module %s", len(args), len(m.bindings), s.Module)
	}
	for i, t := range args {
		if t == nil {
			continue
		}
		b := m.bindings[i]
		if err := g.usable(t, b.read && !b.write); err != nil {
			return fmt.Errorf("binding %d (%s): %w", i, b.name, err)
		}
		if t.off%viewAlign != 0 {
			return fmt.Errorf("binding %d (%s): the view %v begins at byte %d, which is no multiple of %d", i, b.name, t, t.off, viewAlign)
		}
		if t.Type.Narrow() {
			if b.typeID == "" || b.texels {
				return fmt.Errorf("binding %d (%s): module %s takes elements of 32 bits only, not %v", i, b.name, s.Module, t)
			}
			if t.Dim(-1)%4 != 0 {
				return fmt.Errorf("binding %d (%s): the rows of %v are no multiples of four elements", i, b.name, t)
			}
			s = s.With(b.typeID, uint32(t.Type))
		}
		if b.texels {
			if err := g.checkTexels(t); err != nil {
				return fmt.Errorf("binding %d (%s): %w", i, b.name, err)
			}
		} else if t.Bytes() > g.caps.MaxBinding {
			return fmt.Errorf("binding %d (%s): %w: %v has %d bytes: the device binds at most %d", i, b.name, ErrOutOfMemory, t, t.Bytes(), g.caps.MaxBinding)
		}
		if b.write {
			g.written[t.mem] = true
		}
	}
	g.nodes = append(g.nodes, node{
		kind: dispatchNode, scope: g.scope, whole: g.whole, shader: s, module: m, groups: groups,
		push: pushed, args: append([]*Tensor(nil), args...),
	})
	return nil
}

// checkTexels checks that a samplerBuffer can span a tensor.
func (g *Graph) checkTexels(t *Tensor) error {
	if t.Bytes()%texelBytes != 0 {
		return fmt.Errorf("%v is no multiple of four elements", t)
	}
	if n := t.Bytes() / texelBytes; n > int64(g.caps.MaxTexels) {
		return fmt.Errorf("%w: %v has %d texels: the device binds at most %d", ErrOutOfMemory, t, n, g.caps.MaxTexels)
	}
	return nil
}

// usable checks that a tensor can be an argument in this graph.
func (g *Graph) usable(t *Tensor, onlyRead bool) error {
	switch {
	case t.err != nil:
		return t.err
	case t.mem == nil:
		return errors.New("a tensor of no graph and no store")
	case t.Len() == 0:
		return fmt.Errorf("%v is empty", t)
	case t.mem.twin != nil && !onlyRead:
		return fmt.Errorf("%v is an input, which only the host writes", t)
	}
	if owner, ok := t.mem.owner.(*Graph); ok {
		if owner != g {
			return fmt.Errorf("%v belongs to another graph", t)
		}
		if onlyRead && !g.written[t.mem] {
			return fmt.Errorf("%v is read before anything wrote it", t)
		}
	}
	return nil
}

// Copy records dst = src; the two have equally many elements of one type and
// don't overlap.
func (g *Graph) Copy(dst, src *Tensor) {
	if g.err != nil {
		return
	}
	err := g.usable(src, true)
	if err == nil {
		err = g.usable(dst, false)
	}
	if err == nil && (dst.Bytes() != src.Bytes() || dst.Type.Narrow() && dst.Type != src.Type) {
		err = fmt.Errorf("%v has another size or type than %v", dst, src)
	}
	if err != nil {
		g.Errorf("copy: %w", err)
		return
	}
	g.written[dst.mem] = true
	g.nodes = append(g.nodes, node{kind: copyNode, scope: g.scope, whole: g.whole, args: []*Tensor{dst, src}})
}

// Fill records that every element of dst gets these 32 bits.
func (g *Graph) Fill(dst *Tensor, bits uint32) {
	if g.err != nil {
		return
	}
	if err := g.usable(dst, false); err != nil {
		g.Errorf("fill: %w", err)
		return
	}
	g.written[dst.mem] = true
	g.nodes = append(g.nodes, node{kind: fillNode, scope: g.scope, whole: g.whole, args: []*Tensor{dst}, value: bits})
}

// access is a use of a byte range by a node.
type access struct {
	mem         *memory
	begin, end  int64
	read, write bool
}

// accesses lists what a node reads and writes.
func (n *node) accesses() []access {
	use := func(t *Tensor, read, write bool) access {
		return access{t.mem, t.off, t.off + t.Bytes(), read, write}
	}
	switch n.kind {
	case copyNode:
		return []access{use(n.args[0], false, true), use(n.args[1], true, false)}
	case fillNode:
		return []access{use(n.args[0], false, true)}
	}
	var list []access
	for i, t := range n.args {
		if t != nil {
			list = append(list, use(t, n.module.bindings[i].read, n.module.bindings[i].write))
		}
	}
	return list
}
