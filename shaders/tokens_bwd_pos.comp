#version 450
// Gradient of tokens_fwd by what all sequences of a run share: the sum over
// the sequences s, in their order, of the first `count` tokens.
//   dpos[t] = sum_s dx[start + s T + t]   (count = T)
//   dcls    = the same for t = 0          (count = 1)
// dx (rows, D), dpos (count, D), f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer DX { float dx[]; };
layout(std430, set = 0, binding = 1) buffer DPos { float dpos[]; };
layout(push_constant) uniform Push {
    uint start; // the run's first row in dx
    uint sequences;
    uint length; // T
    uint width;  // D
    uint count;
    uint accumulate;
};

void main() {
    uint i = globalIndex();
    if (i >= count * width) {
        return;
    }
    uint stride = length * width;
    uint at = start * width + i;
    float sum = 0;
    for (uint s = 0; s < sequences; s++) {
        sum += dx[at];
        at += stride;
    }
    dpos[i] = accumulate != 0 ? dpos[i] + sum : sum;
}
