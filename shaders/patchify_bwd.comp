#version 450
// Gradient of patchify_fwd: each pixel takes the gradient of its place in its
// patch; a dropped pixel has gradient zero.
// dpatches (rows, C P P), dimages (n, C, H, W), f32. An invocation does the
// pixels of one line that belong to one patch.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint P = 16;
layout(std430, set = 0, binding = 0) readonly buffer DPatches { float dpatches[]; };
layout(std430, set = 0, binding = 1) buffer DImages { float dimages[]; };
layout(push_constant) uniform Push {
    uint start;
    uint count; // n
    uint channels;
    uint height;
    uint width;
    uint accumulate; // add to the gradient instead of writing it
};

void main() {
    uint i = globalIndex();
    uint gh = height / P;
    uint gw = width / P;
    uint cells = (width + P - 1) / P;
    if (i >= count * channels * height * cells) {
        return;
    }
    uint x = i % cells;
    uint row = i / cells; // of all lines of all images
    uint v = row % height;
    uint plane = row / height;
    uint y = v / P;
    bool kept = x < gw && y < gh;
    uint cell = start + (plane / channels * gh + y) * gw + x;
    uint from = (cell * channels + plane % channels) * P * P + v % P * P;
    uint to = row * width + x * P;
    for (uint u = 0; u < P && x * P + u < width; u++) {
        float g = kept ? dpatches[from + u] : 0;
        dimages[to + u] = accumulate != 0 ? dimages[to + u] + g : g;
    }
}
