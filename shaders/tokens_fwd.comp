#version 450
// The token sequence of a ViT (arXiv 2010.11929, eq. 1), for one run of
// sequences of equal length in a packed buffer:
//   x[start + s T + t] = (t == 0 ? cls : patches[first + s (T-1) + t-1]) + pos[t]
// x (rows, D), patches (rows, D), cls (D), pos (T, D), f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer Patches { float patches[]; };
layout(std430, set = 0, binding = 1) readonly buffer Cls { float cls[]; };
layout(std430, set = 0, binding = 2) readonly buffer Pos { float pos[]; };
layout(std430, set = 0, binding = 3) writeonly buffer X { float x[]; };
layout(push_constant) uniform Push {
    uint start; // the run's first row in x
    uint first; // the run's first row in patches
    uint sequences;
    uint length; // T
    uint width;  // D
};

void main() {
    uint i = globalIndex();
    if (i >= sequences * length * width) {
        return;
    }
    uint token = i / width;
    uint d = i - token * width;
    uint s = token / length;
    uint t = token - s * length;
    float embedded = t == 0 ? cls[d] : patches[(first + token - s - 1) * width + d];
    x[start * width + i] = embedded + pos[t * width + d];
}
