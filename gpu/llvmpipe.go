package gpu

import "fmt"

// llvmpipe is what versions of Mesa's llvmpipe, with subgroups of eight, are known for:
//   - UniformLoads: its compiler makes one scalar load of what a subgroup reads at an
//     address made of push constants alone, see shaders/include/uniform.glsl.
//   - QuickBroadcasts: a subgroup's lanes are told each other's values without a loop.
//   - OrderedSubgroups: the subgroups of a workgroup, 128 of them, run one after another,
//     and so hand results on without a barrier. That is outside of Vulkan: see unpromised.
func (c *candidate) llvmpipe() Features {
	var major, minor int
	if n, _ := fmt.Sscanf(c.DriverVersion, "Mesa %d.%d", &major, &minor); n < 2 || c.Driver != "llvmpipe" || c.SubgroupSize != 8 || !c.features.Int64 {
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
