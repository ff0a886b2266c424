#version 450
// First of three stages of the gradient norms: the sum of squares of each block
// of a bank. A workgroup sums a block; blocks of frozen tensors give 0.
// gradient (bank); blocks (count) as optim.glsl says; squares (blocks of all
// banks), from first_square on.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "optim.glsl"

layout(push_constant) uniform Push { uint count; uint first_square; };
layout(std430, set = 0, binding = 0) readonly buffer Gradient { vec4 gradient[]; };
layout(std430, set = 0, binding = 1) readonly buffer Blocks { Block blocks[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Squares { float squares[]; };

void main() {
    uint index = groupIndex();
    if (index >= count) {
        return;
    }
    Block block = blocks[index];
    uint end = (block.flags & FROZEN) != 0 ? block.first : block.first + block.quads;
    vec4 sum = vec4(0);
    for (uint q = block.first + lane(); q < end; q += LANES) {
        vec4 g = gradient[q];
        sum += g * g;
    }
    float total = laneSum(sumOf(sum));
    if (lane() == 0) {
        squares[first_square + index] = total;
    }
}
