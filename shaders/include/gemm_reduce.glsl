// Adds the parts of a matrix product that was split along k, in order:
// c = epilogue(alpha sum_s parts[s]), parts (slots, m, n), c (m, n) f32.
//
// With COLUMNS, 32 or 16, of which n is a multiple, the columns of the parts are as
// gemm_lanes.comp leaves them where it reads b in place.
//
// Define VEC, the elements that an invocation adds (1 or 4), and perhaps TEXELS
// (see stored.glsl).
#include "common.glsl"
#define EPILOGUE_BINDING 1
#include "gemm_epilogue.glsl"
#include "rotated.glsl"

layout(local_size_x = 64) in;
INPUT(0, parts);
layout(constant_id = 6) const uint COLUMNS = 0;
layout(push_constant) uniform Push {
    uint size, n; // size = m n
    uint slots;
    float alpha;
};

#if VEC == 4
// part is the i-th quad of part s.
vec4 part(uint s, uint i) {
    if (COLUMNS == 0u) {
        return FETCH(parts, s * (size / 4u) + i);
    }
    const uint column = 4u * i % COLUMNS, first = s * size + 4u * i - column;
    vec4 v;
    for (uint l = 0u; l < 4u; ++l) {
        const uint at = first + rotated(column + l, COLUMNS, 1u);
        v[l] = FETCH(parts, at / 4u)[at % 4u];
    }
    return v;
}
#else
float part(uint s, uint i) {
    const uint column = COLUMNS == 0u ? 0u : i % COLUMNS;
    return FETCH(parts, s * size + i - column + rotated(column, COLUMNS, 1u));
}
#endif

void main() {
    const uint i = globalIndex();
    if (i >= size / VEC) {
        return;
    }
    STORED sum = STORED(0.0);
    for (uint s = 0u; s < slots; ++s) {
        sum += part(s, i);
    }
    store(i, i % (n / VEC), alpha * sum);
}
