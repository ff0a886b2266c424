package gpu

import "strings"

// uniformLanes reports llvmpipe of the version whose compiler makes one scalar
// load of what a subgroup of eight reads at an address made of push constants
// alone, and that runs the subgroups of a workgroup one after another. What
// shaders gain from that is outside of Vulkan, so only versions that were measured
// count: on 22.3 and 26.2 the same shaders are right but slower than others.
func (c *candidate) uniformLanes() bool {
	return c.Driver == "llvmpipe" && strings.HasPrefix(c.DriverVersion, "Mesa 25.0.") &&
		c.SubgroupSize == 8 && c.features.Int64 && c.MaxInvocations >= 1024 && c.MaxPush >= 256
}
