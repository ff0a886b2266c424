#version 450
// First stage of LARS's rates: for each block of a bank, the sums of squares of
// the weights and of what moves them, clip g + decay p. A workgroup sums a block;
// blocks of tensors that are not decayed, or never trained, give 0.
// weight, gradient (bank); blocks (count) as optim.glsl says; norms (segments, 2)
// = (norm, clip); squares (blocks of all banks, 2), from first_square on.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "optim.glsl"

layout(push_constant) uniform Push { uint count; uint first_square; };
layout(std430, set = 0, binding = 0) readonly buffer Weight { vec4 weight[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gradient { vec4 gradient[]; };
layout(std430, set = 0, binding = 2) readonly buffer Blocks { Block blocks[]; };
layout(std430, set = 0, binding = 3) readonly buffer Norms { vec2 norms[]; };
#define STEP_PARAMS_BINDING 4
#include "stepparams.glsl"
layout(std430, set = 0, binding = 5) writeonly buffer Squares { vec2 squares[]; };

void main() {
    uint index = groupIndex();
    if (index >= count) {
        return;
    }
    Block block = blocks[index];
    bool adapted = (block.flags & (DECAY | FROZEN)) == DECAY;
    uint end = adapted ? block.first + block.quads : block.first;
    float clip = norms[block.segment].y;
    vec4 weights = vec4(0);
    vec4 moves = vec4(0);
    for (uint q = block.first + lane(); q < end; q += LANES) {
        vec4 p = weight[q];
        vec4 g = gradient[q] * clip + params.weight_decay * p;
        weights += p * p;
        moves += g * g;
    }
    vec2 sums = laneSum(vec2(sumOf(weights), sumOf(moves)));
    if (lane() == 0) {
        squares[first_square + index] = sums;
    }
}
