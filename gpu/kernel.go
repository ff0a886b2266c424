package gpu

// Kernel is one operation on the device, in variants from best to plainest.
// The last variant needs nothing and fits every problem.
type Kernel struct {
	Name     string
	Variants []Variant
	Untimed  bool // how long it takes follows from integers that only a run has: the best that is sound is taken
}

// Variant is one way to run a kernel.
type Variant struct {
	Module string                            // the SPIR-V module in package shaders
	Needs  Features                          // what the device must offer
	Fits   func(caps Caps, problem any) bool // whether it can run this problem; nil = any
	Spec   Spec                              // specialization constants by their GLSL names
}

// Name tells variants apart: the module and its constants.
func (v *Variant) Name() string { return Shader{Module: v.Module, Spec: v.Spec}.String() }

// Spec gives specialization constants by their GLSL names; floats by their bits.
type Spec map[string]uint32

// Shader is a variant with all its specialization constants: one pipeline.
type Shader struct {
	Kernel string
	Module string
	Spec   Spec

	pick int // number of the graph's pick that chose it, from 1; 0: none did
}

// Plain is a kernel whose only variant is the module of the same name.
func Plain(name string) *Kernel {
	return &Kernel{Name: name, Variants: []Variant{{Module: name}}}
}

// With is s with one more specialization constant.
func (s Shader) With(name string, value uint32) Shader {
	spec := Spec{name: value}
	for k, v := range s.Spec {
		if k != name {
			spec[k] = v
		}
	}
	s.Spec = spec
	return s
}

// Has reports whether s can be specialized by a constant of that name.
func (s Shader) Has(name string) bool {
	m, err := loadModule(s.Module)
	if err != nil {
		return false // Dispatch will say so
	}
	_, ok := m.specIDs[name]
	return ok
}

// Problem is what a variant is to run. One that has a shape can be tuned: of
// two problems of a kernel with equal shapes the same variants fit, and take
// equally long. typ is the least exact type to which a variant may round what it
// multiplies.
type Problem interface {
	Shape() (shape string, typ Type)
}

// pick is a choice that was made while a graph was recorded.
type pick struct {
	problem string // the kernel and the shape; "" without one
	typ     Type
	whole   bool // it decides a Whole
	untimed bool // see Kernel
	fits    []*Variant
	chosen  *Variant
}

// Pick chooses among the variants of k that the device offers and that fit the
// problem: as Caps.Choices say, else the first.
func (g *Graph) Pick(k *Kernel, problem any) Shader {
	p := pick{}
	for i := range k.Variants {
		v := &k.Variants[i]
		if v.Needs&^g.caps.Features == 0 && (v.Fits == nil || v.Fits(g.caps, problem)) {
			p.fits = append(p.fits, v)
		}
	}
	if len(p.fits) == 0 {
		g.Errorf("%s: no variant fits %+v", k.Name, problem)
		return Shader{Kernel: k.Name}
	}
	if shaped, ok := problem.(Problem); ok && len(p.fits) > 1 {
		p.untimed = k.Untimed
		shape, typ := shaped.Shape()
		p.problem, p.typ = k.Name+" "+shape, typ
	}
	p.whole = g.whole == len(g.picks)+1
	p.chosen = g.caps.Choices.choose(&p)
	g.picks = append(g.picks, p)
	return Shader{Kernel: k.Name, Module: p.chosen.Module, Spec: p.chosen.Spec, pick: len(g.picks)}
}

// Whole says that the next pick decides all that is recorded until the returned
// function is called, and not only what its own shader does: its variants are
// tested and timed with that.
func (g *Graph) Whole() (end func()) {
	if g.whole != 0 {
		return func() {}
	}
	g.whole = len(g.picks) + 1
	return func() { g.whole = 0 }
}
