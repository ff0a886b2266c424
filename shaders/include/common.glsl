// What most shaders share.
#ifndef COMMON_GLSL
#define COMMON_GLSL

// globalIndex numbers the invocations of a one-dimensional problem that is
// dispatched over a two-dimensional grid, because a grid's side may not
// exceed 65535 workgroups.
uint globalIndex() {
    uint group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    return group * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
}

// groupIndex is the same for workgroups.
uint groupIndex() {
    return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
}

#endif
