package gpu

// Kernel is one operation on the device, in variants from best to plainest.
// The last variant needs nothing and fits every problem.
type Kernel struct {
	Name     string
	Variants []Variant
}

// Variant is one way to run a kernel.
type Variant struct {
	Module string                            // the SPIR-V module in package shaders
	Needs  Features                          // what the device must offer
	Fits   func(caps Caps, problem any) bool // whether it can run this problem; nil = any
	Spec   Spec                              // specialization constants by their GLSL names
}

// Spec gives specialization constants by their GLSL names; floats by their bits.
type Spec map[string]uint32

// Shader is a variant with all its specialization constants: one pipeline.
type Shader struct {
	Kernel string
	Module string
	Spec   Spec
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

// Pick chooses the first variant of k that the device offers and that fits
// the problem.
func (g *Graph) Pick(k *Kernel, problem any) Shader {
	for _, v := range k.Variants {
		if v.Needs&^g.caps.Features == 0 && (v.Fits == nil || v.Fits(g.caps, problem)) {
			return Shader{Kernel: k.Name, Module: v.Module, Spec: v.Spec}
		}
	}
	g.Errorf("%s: no variant fits %+v", k.Name, problem)
	return Shader{Kernel: k.Name}
}
