#version 450
// Cuts images into patches, the rows of a convolution whose stride is its
// kernel (ViT's patch embedding, arXiv 2010.11929, section 3.1).
//   patches[start + (i gh + y) gw + x, (c P + v) P + u] = images[i, c, y P + v, x P + u]
// images (n, C, H, W); patches (rows, C P P) with gh = H div P, gw = W div P:
// the pixels that remain at the right and at the bottom are dropped. f32.
// An invocation copies one line of a patch.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint P = 16;
layout(std430, set = 0, binding = 0) readonly buffer Images { float images[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Patches { float patches[]; };
layout(push_constant) uniform Push {
    uint start;
    uint count; // n
    uint channels;
    uint height;
    uint width;
};

void main() {
    uint i = globalIndex();
    uint gh = height / P;
    uint gw = width / P;
    uint lines = channels * P;
    if (i >= count * gh * gw * lines) {
        return;
    }
    uint line = i % lines;
    uint cell = i / lines;
    uint x = cell % gw;
    uint y = cell / gw % gh;
    uint image = cell / gw / gh;
    uint from = ((image * channels + line / P) * height + y * P + line % P) * width + x * P;
    uint to = (start * lines + i) * P;
    for (uint u = 0; u < P; u++) {
        patches[to + u] = images[from + u];
    }
}
