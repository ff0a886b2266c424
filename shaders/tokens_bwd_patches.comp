#version 450
// Gradient of tokens_fwd by the patches: the rows of dx without those of CLS.
//   dpatches[first + s (T-1) + t] = dx[start + s T + 1 + t]
// dx (rows, D), dpatches (rows, D), f32. An invocation does one element of
// SEQUENCES sequences.

layout(local_size_x = 256) in;
const uint SEQUENCES = 16; // as in op.sequenceGrid
layout(std430, set = 0, binding = 0) readonly buffer DX { float dx[]; };
layout(std430, set = 0, binding = 1) buffer DPatches { float dpatches[]; };
layout(push_constant) uniform Push {
    uint start; // the run's first row in dx
    uint first; // the run's first row in dpatches
    uint sequences;
    uint length; // T
    uint width;  // D
    uint accumulate;
};

void main() {
    uint i = gl_GlobalInvocationID.x; // t D + d
    uint size = (length - 1) * width;
    if (i >= size) {
        return;
    }
    uint s = gl_WorkGroupID.y * SEQUENCES;
    uint end = min(s + SEQUENCES, sequences);
    for (; s < end; s++) {
        float g = dx[(start + s * length + 1) * width + i];
        uint to = first * width + s * size + i;
        dpatches[to] = accumulate != 0 ? dpatches[to] + g : g;
    }
}
