package gpu

import "fmt"

// llvmpipe is what versions of Mesa's llvmpipe, with subgroups of eight, are known for:
//   - UniformLoads: its compiler makes one scalar load of what a subgroup reads at an
//     address made of push constants alone, see shaders/include/uniform.glsl.
//   - QuickBroadcasts: a subgroup's lanes are told each other's values without a loop.
//   - SharedLanes: what a subgroup writes to shared memory lane by lane, at constant
//     places, becomes one store; what it writes elsewhere takes a branch for every lane.
//   - ScatteredLanes: what a subgroup writes is scattered without a branch.
//
// Shaders that need one of the last two also count on the subgroups of a workgroup
// being run one after another, which is outside of Vulkan: see unpromised.
func (c *candidate) llvmpipe() Features {
	var major, minor int
	if n, _ := fmt.Sscanf(c.DriverVersion, "Mesa %d.%d", &major, &minor); n < 2 || c.Driver != "llvmpipe" || c.SubgroupSize != 8 || !c.features.Int64 {
		return 0
	}
	set := UniformLoads
	if major > 22 {
		set |= QuickBroadcasts
	}
	switch {
	case c.MaxInvocations < 1024 || c.MaxPush < 256:
	case major == 25 && minor == 0:
		set |= SharedLanes
	case major > 25:
		set |= ScatteredLanes
	}
	return set
}
