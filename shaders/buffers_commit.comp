#version 450
// Keeps the running statistics that a step has moved, unless it met a number
// that is not finite: kept = work. kept, work (n).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint n; };
layout(std430, set = 0, binding = 0) readonly buffer Work { float work[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Kept { float kept[]; };
layout(std430, set = 0, binding = 2) readonly buffer Status { uint status[]; };

void main() {
    uint i = globalIndex();
    if (i < n && status[0] == 0) {
        kept[i] = work[i];
    }
}
