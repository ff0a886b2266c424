#version 450
// Last stage of LARS's rates, a workgroup a tensor:
//   rate = eta |p| / |clip g + decay p|, or 1 where either norm is 0.
// squares (blocks, 2); segments (count); rates (count).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "optim.glsl"

layout(push_constant) uniform Push { uint count; float eta; };
layout(std430, set = 0, binding = 0) readonly buffer Squares { vec2 squares[]; };
layout(std430, set = 0, binding = 1) readonly buffer Segments { Segment segments[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Rates { float rates[]; };

void main() {
    uint index = groupIndex();
    if (index >= count) {
        return;
    }
    Segment segment = segments[index];
    vec2 sum = vec2(0);
    for (uint i = lane(); i < segment.blocks; i += LANES) {
        sum += squares[segment.first + i];
    }
    vec2 norm = sqrt(laneSum(sum));
    if (lane() == 0) {
        rates[index] = norm.x > 0 && norm.y > 0 ? eta * norm.x / norm.y : 1;
    }
}
