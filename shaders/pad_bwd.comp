#version 450
// Gradient of pad_fwd: dx[b, i, j, c] (+)= dy[b, i + pad, j + pad, c].
// dx (N, H, W, C), dy (N, H + 2 pad, W + 2 pad, CHANNELS), f32. An invocation
// does a pixel.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 1) buffer DX { float dx[]; };
layout(constant_id = 0) const uint CHANNELS = 4;
layout(push_constant) uniform Push {
    uint count; // N
    uint h, w, channels;
    uint pad;
    uint accumulate; // add to the gradient instead of writing it
};

void main() {
    const uint at = globalIndex();
    if (at >= count * h * w) {
        return;
    }
    const uint i = at / w % h + pad, j = at % w + pad;
    const uint from = ((at / w / h * (h + 2u * pad) + i) * (w + 2u * pad) + j) * CHANNELS;
    for (uint c = 0u; c < channels; ++c) {
        const uint to = at * channels + c;
        dx[to] = accumulate != 0u ? dx[to] + dy[from + c] : dy[from + c];
    }
}
