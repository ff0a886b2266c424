#version 450
// Puts zeros around images and behind their channels:
//   y[b, i, j, c] = x[b, i - pad, j - pad, c], and 0 where x has no such element
// x (N, H, W, C), y (N, H + 2 pad, W + 2 pad, CHANNELS), f32. An invocation
// makes a pixel.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
layout(constant_id = 0) const uint CHANNELS = 4;
layout(push_constant) uniform Push {
    uint count; // N
    uint h, w, channels;
    uint pad;
};

void main() {
    const uint at = globalIndex();
    const uint outH = h + 2u * pad, outW = w + 2u * pad;
    if (at >= count * outH * outW) {
        return;
    }
    const uint i = at / outW % outH - pad, j = at % outW - pad; // what would be negative is large
    const bool inside = i < h && j < w;
    const uint from = inside ? ((at / outW / outH * h + i) * w + j) * channels : 0u;
    for (uint c = 0u; c < CHANNELS; ++c) {
        y[at * CHANNELS + c] = inside && c < channels ? x[from + c] : 0.0;
    }
}
