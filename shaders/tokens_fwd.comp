#version 450
// The token sequence of a ViT (arXiv 2010.11929, eq. 1), for one run of
// sequences of equal length in a packed buffer:
//   x[start + s T + t] = (t == 0 ? cls : patches[first + s (T-1) + t-1]) + pos[t]
// x (rows, D), patches (rows, D), cls (D), pos (T, D), f32.
// An invocation does one element of SEQUENCES sequences: no division by T or D,
// which are slow on processors, and pos is read once for all.

layout(local_size_x = 256) in;
const uint SEQUENCES = 16; // as in op.sequenceGrid
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
    uint i = gl_GlobalInvocationID.x; // t D + d
    uint size = length * width;
    if (i >= size) {
        return;
    }
    float constant = pos[i];
    if (i < width) {
        constant += cls[i];
    }
    uint s = gl_WorkGroupID.y * SEQUENCES;
    uint end = min(s + SEQUENCES, sequences);
    for (; s < end; s++) {
        float embedded = i < width ? 0 : patches[first * width + s * (size - width) + i - width];
        x[start * width + s * size + i] = embedded + constant;
    }
}
