// What most shaders share.
#ifndef COMMON_GLSL
#define COMMON_GLSL

// groupIndex numbers the workgroups of a one-dimensional problem that is
// dispatched over a two-dimensional grid, because a grid's side may not
// exceed 65535 workgroups.
uint groupIndex() {
    return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
}

// globalIndex does the same for invocations. It is a macro because a function
// here, compiled before the shader declares its local size, would take
// gl_WorkGroupSize to be 1.
#define globalIndex() (groupIndex() * gl_WorkGroupSize.x + gl_LocalInvocationID.x)

#endif
