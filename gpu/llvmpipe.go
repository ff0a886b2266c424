package gpu

import (
	"fmt"
	"strings"
)

// uniformLanes reports llvmpipe with subgroups of eight. Its compiler makes one
// scalar load of what a subgroup reads at an address made of push constants alone,
// and it runs the subgroups of a workgroup one after another. What shaders gain
// from that is outside of Vulkan: see unpromised.
func (c *candidate) uniformLanes() bool {
	return c.Driver == "llvmpipe" && c.SubgroupSize == 8 && c.features.Int64 && c.MaxInvocations >= 1024 && c.MaxPush >= 128
}

// sharedLanes reports the version of llvmpipe whose compiler makes one store of
// what a subgroup writes to shared memory lane by lane at constant places. What it
// writes elsewhere takes a branch for every lane.
func (c *candidate) sharedLanes() bool { return strings.HasPrefix(c.DriverVersion, "Mesa 25.0.") }

// scatteredLanes reports versions of llvmpipe that scatter what a subgroup writes,
// without a branch.
func (c *candidate) scatteredLanes() bool {
	var major int
	fmt.Sscanf(c.DriverVersion, "Mesa %d", &major) // 0 where it is none
	return major >= 26
}

// uniformLoads reports llvmpipe with subgroups of eight, for which shaders are written
// that read memory at its speed (see shaders/include/uniform.glsl). They would be right
// on other drivers, too.
func (c *candidate) uniformLoads() bool {
	return c.Driver == "llvmpipe" && c.SubgroupSize == 8 && c.features.Int64
}

// quickBroadcasts reports that a subgroup's lanes are told each other's values without
// a loop, as in all versions of llvmpipe that were measured but 22.3.
func (c *candidate) quickBroadcasts() bool { return !strings.HasPrefix(c.DriverVersion, "Mesa 22.") }
