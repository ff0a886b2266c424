// Rows of matrices that LANES invocations work on together, four elements (a
// quad) at a time. A workgroup of 64 holds 64 / LANES rows. One lane a row
// needs no barrier, which is best on a CPU; many lanes read memory in order,
// which is best on a GPU.
//
// The push constants must be declared before this file is included, with a
// member `width`, the elements of a row. Rows whose width is no multiple of
// four are read as if padded with zeros (QUADS = 0). Where it is one, a matrix may
// be of any type in types.glsl; or define
// TEXELS to read through texel buffers: llvmpipe makes one call of that for all
// lanes, and of a storage buffer a branch for every lane.
#ifndef ROWS_GLSL
#define ROWS_GLSL

#include "lanes.glsl"
#include "types.glsl"
layout(constant_id = 1) const uint QUADS = 1; // 1: width is a multiple of four

// rowIndex is the row of this invocation; it may lie beyond the last.
uint rowIndex() { return groupIndex() * (64 / LANES) + gl_LocalInvocationID.x / LANES; }

// quadCount is the number of quads of a row.
uint quadCount() { return QUADS != 0 ? width / 4 : (width + 3) / 4; }

// inRow is 1 for the elements of a quad that belong to the row, 0 for padding.
vec4 inRow(uint quad) {
    if (QUADS != 0) {
        return vec4(1);
    }
    return vec4(lessThan(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(width)));
}

// ROWS_IN declares a matrix that is read: NAME(row, quad).
#ifdef TEXELS
#define ROWS_IN(BINDING, NAME)                                                                          \
    layout(set = 0, binding = BINDING) uniform samplerBuffer NAME##Texels;                              \
    vec4 NAME(uint row, uint quad) { return texelFetch(NAME##Texels, int(row * (width / 4) + quad)); }
#else
#define ROWS_IN(BINDING, NAME)                                                                          \
    ROWS_BUFFER(readonly, BINDING, NAME)                                                                \
    ROWS_LOAD(NAME)
#endif

// ROWS_OUT declares a matrix that is written: NAMEStore(row, quad, value).
#define ROWS_OUT(BINDING, NAME)                                                                         \
    ROWS_BUFFER(writeonly, BINDING, NAME)                                                               \
    ROWS_STORE(NAME)

// ROWS_INOUT declares a matrix that is read and written.
#define ROWS_INOUT(BINDING, NAME)                                                                       \
    ROWS_BUFFER(, BINDING, NAME)                                                                        \
    ROWS_LOAD(NAME)                                                                                     \
    ROWS_STORE(NAME)

#define ROWS_BUFFER(ACCESS, BINDING, NAME)                                                              \
    TYPED(BINDING, NAME);                                                                               \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Scalars { float NAME##1[]; };        \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Quads { vec4 NAME##4[]; };           \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Narrow { uvec2 NAME##16[]; };

#define ROWS_LOAD(NAME)                                                                                 \
    vec4 NAME(uint row, uint quad) {                                                                    \
        if (!IS_WIDE(NAME)) {                                                                           \
            return widen(NAME##_TYPE, NAME##16[row * (width / 4) + quad]);                              \
        }                                                                                               \
        if (QUADS != 0) {                                                                               \
            return NAME##4[row * (width / 4) + quad];                                                   \
        }                                                                                               \
        uint at = row * width + 4 * quad;                                                               \
        uint n = width - 4 * quad;                                                                      \
        vec4 v = vec4(NAME##1[at], 0, 0, 0);                                                            \
        if (n > 1) v.y = NAME##1[at + 1];                                                               \
        if (n > 2) v.z = NAME##1[at + 2];                                                               \
        if (n > 3) v.w = NAME##1[at + 3];                                                               \
        return v;                                                                                       \
    }

#define ROWS_STORE(NAME)                                                                                \
    void NAME##Store(uint row, uint quad, vec4 v) {                                                     \
        if (!IS_WIDE(NAME)) {                                                                           \
            NAME##16[row * (width / 4) + quad] = narrow(NAME##_TYPE, v);                                \
            return;                                                                                     \
        }                                                                                               \
        if (QUADS != 0) {                                                                               \
            NAME##4[row * (width / 4) + quad] = v;                                                      \
            return;                                                                                     \
        }                                                                                               \
        uint at = row * width + 4 * quad;                                                               \
        uint n = width - 4 * quad;                                                                      \
        NAME##1[at] = v.x;                                                                              \
        if (n > 1) NAME##1[at + 1] = v.y;                                                               \
        if (n > 2) NAME##1[at + 2] = v.z;                                                               \
        if (n > 3) NAME##1[at + 3] = v.w;                                                               \
    }

#endif
