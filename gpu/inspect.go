package gpu

import (
	"errors"
	"fmt"
	"strings"

	"dino-vk/gpu/internal/vk"
)

// ErrNoStatistics says that a driver does not tell what its compiler makes of
// shaders.
var ErrNoStatistics = errors.New("the driver has no VK_KHR_pipeline_executable_properties")

// Compiled is what a driver's compiler made of a shader.
type Compiled struct {
	Shader       Shader
	SubgroupSize uint32
	Statistics   []Statistic
}

// Statistic is a number about a compiled shader, as the driver names it.
type Statistic struct {
	Name, Description string
	Value             float64
}

// Shaders lists the shaders that the graph dispatches, each once, in the order
// of their first dispatch.
func (g *Graph) Shaders() []Shader {
	seen := map[string]bool{}
	var list []Shader
	for i := range g.nodes {
		n := &g.nodes[i]
		if key := n.shader.String(); n.kind == dispatchNode && !seen[key] {
			seen[key] = true
			list = append(list, n.shader)
		}
	}
	return list
}

// Inspect compiles a shader anew, past all caches of this program, and tells
// what came of it. The error may be ErrNoStatistics.
func (d *Device) Inspect(s Shader) (Compiled, error) {
	if !d.features.ExecutableProperties {
		return Compiled{}, fmt.Errorf("gpu: %s: %w", d.Name, ErrNoStatistics)
	}
	m, err := loadModule(s.Module)
	if err != nil {
		return Compiled{}, err
	}
	p, err := d.build(nil, m, s, vk.CaptureStatistics)
	if err != nil {
		return Compiled{}, fmt.Errorf("gpu: %v: %w", s, err)
	}
	defer p.destroy(d)
	list := d.api.Executables(d.handle, p.handle)
	if len(list) == 0 {
		return Compiled{}, fmt.Errorf("gpu: %v: the driver tells nothing of it", s)
	}
	c := Compiled{Shader: s, SubgroupSize: list[0].SubgroupSize}
	for _, one := range list[0].Statistics {
		c.Statistics = append(c.Statistics, Statistic(one))
	}
	return c, nil
}

// find adds up the statistics whose names contain one of the words.
func (c Compiled) find(words ...string) (sum int) {
	for _, s := range c.Statistics {
		for _, w := range words {
			if strings.Contains(strings.ToLower(s.Name), w) {
				sum += int(s.Value)
				break
			}
		}
	}
	return sum
}

// Registers is how many vector registers (VGPRs on AMD, registers of an
// invocation on NVIDIA) and how many scalar ones (SGPRs) the shader has. Here as
// below a number that the driver does not tell is 0.
func (c Compiled) Registers() (vector, scalar int) {
	for _, s := range c.Statistics {
		switch s.Name {
		case "VGPRs", "Register Count", "Max live registers":
			vector = int(s.Value)
		case "SGPRs":
			scalar = int(s.Value)
		}
	}
	return vector, scalar
}

// Spills is how many registers had to go to memory or into other registers.
func (c Compiled) Spills() int { return c.find("spill") }

// ScratchBytes is the memory of an invocation or subgroup for spilled registers
// and for arrays that registers cannot hold.
func (c Compiled) ScratchBytes() int { return c.find("scratch", "stack", "local memory") }

// SharedBytes is the shared memory of a workgroup.
func (c Compiled) SharedBytes() int { return c.find("lds size", "shared memory", "workgroup memory") }

// CodeBytes is the size of the machine code.
func (c Compiled) CodeBytes() int { return c.find("code size", "binary size") }
