#version 450
// Mean over the pixels of each image:
//   y[b, c] = 1/pixels sum_i x[b, i, c]
// x (N, pixels, C), y (N, C), f32, summed in f32. An invocation does one
// channel of an image.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push {
    uint count; // N
    uint pixels, channels;
};

void main() {
    const uint at = globalIndex();
    if (at >= count * channels) {
        return;
    }
    const uint start = at / channels * pixels * channels + at % channels;
    float sum = 0.0;
    for (uint i = 0u; i < pixels; ++i) {
        sum += x[start + i * channels];
    }
    y[at] = sum / float(pixels);
}
