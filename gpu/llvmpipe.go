package gpu

import (
	"fmt"
	"os"

	"golang.org/x/sys/cpu"
)

// llvmpipe is what versions of Mesa's llvmpipe are known for, with subgroups of eight
// and, from Mesa 26 on, of sixteen:
//   - UniformLoads: its compiler makes one scalar load of what a subgroup reads at an
//     address made of push constants alone, see shaders/include/uniform.glsl.
//   - QuickBroadcasts: a subgroup's lanes are told each other's values without a loop.
//   - OrderedSubgroups: the subgroups of a workgroup, 128 of them or 64, run one after
//     another, and so hand results on without a barrier. That is outside of Vulkan: see
//     unpromised.
func (c *candidate) llvmpipe() Features {
	major := c.llvmpipeVersion()
	if major == 0 || !c.features.Int64 || !(c.SubgroupSize == 8 || c.SubgroupSize == 16 && major >= wideMesa) {
		return 0
	}
	set := UniformLoads
	if major > 22 {
		set |= QuickBroadcasts
	}
	if c.MaxInvocations >= 1024 {
		set |= OrderedSubgroups
	}
	return set
}

// llvmpipeFaults are features that llvmpipe has, but breaks: cooperative matrices of
// subgroups of sixteen end the program, on Mesa 26.2.6.
func (c *candidate) llvmpipeFaults() Features {
	if c.llvmpipeVersion() > 0 && c.SubgroupSize == 16 {
		return CoopMatrix | CoopMatrix2 | CoopConversions
	}
	return 0
}

// llvmpipeVersion is the first number of Mesa's version, 0 of other drivers.
func (c *candidate) llvmpipeVersion() (major int) {
	if c.Driver == "llvmpipe" {
		fmt.Sscanf(c.DriverVersion, "Mesa %d", &major) // 0 where it is none
	}
	return major
}

// Before Mesa 26 llvmpipe computes vectors of 512 bits in halves, and takes code from
// its cache on disk that was compiled for another width.
const (
	wideMesa   = 26
	widthBits  = "LP_NATIVE_VECTOR_WIDTH" // what llvmpipe reads when an instance is made
	widestBits = "512"
)

// widen asks llvmpipe for the processor's widest vectors, which it does not take by
// itself, where it is good at them and the environment does not say a width. It
// reports whether instances that are made from now on have them.
func (c *candidate) widen() bool {
	if _, set := os.LookupEnv(widthBits); set || !cpu.X86.HasAVX512F || c.llvmpipeVersion() < wideMesa {
		return false
	}
	return os.Setenv(widthBits, widestBits) == nil // for C, too
}
