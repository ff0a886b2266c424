#version 450
// Gradient of avgpool_fwd: dx[b, i, c] (+)= dy[b, c] / pixels.
// dx (N, pixels, C), dy (N, C), f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 1) buffer DX { float dx[]; };
layout(push_constant) uniform Push {
    uint count; // N
    uint pixels, channels;
    uint accumulate; // add to the gradient instead of writing it
};

void main() {
    const uint at = globalIndex();
    if (at >= count * pixels * channels) {
        return;
    }
    const float d = dy[at / channels / pixels * channels + at % channels] / float(pixels);
    dx[at] = accumulate != 0u ? dx[at] + d : d;
}
