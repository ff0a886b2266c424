// Adds the parts of a matrix product that was split along k, in order:
// c = epilogue(alpha sum_s parts[s]), parts (slots, m, n), c (m, n) f32.
//
// Define VEC, the elements that an invocation adds (1 or 4), and perhaps TEXELS
// (see stored.glsl).
#include "common.glsl"
#define EPILOGUE_BINDING 1
#include "gemm_epilogue.glsl"

layout(local_size_x = 64) in;
INPUT(0, parts);
layout(push_constant) uniform Push {
    uint size, n; // size = m n
    uint slots;
    float alpha;
};

void main() {
    const uint i = globalIndex();
    if (i >= size / VEC) {
        return;
    }
    STORED sum = STORED(0.0);
    for (uint s = 0u; s < slots; ++s) {
        sum += FETCH(parts, s * (size / VEC) + i);
    }
    store(i, i % (n / VEC), alpha * sum);
}
