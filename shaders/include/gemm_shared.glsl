// Matrix product with operands in shared memory, for GPUs: a workgroup of
// TILES_X x TILES_Y invocations makes a block of 8 TILES_Y rows and 8 TILES_X
// columns, and loads every 16 steps of k once for all of them. The equation is
// in gemm_matrices.glsl.
//
// TILES_X and TILES_Y are at least 8, powers of two, and 16 at most: then shared
// memory is 16 KiB at most, and all loops have ends that the compiler knows.
//
// Define VEC.
#include "gemm_matrices.glsl"

layout(constant_id = 11) const uint TILES_Y = 8;
layout(local_size_x_id = 9, local_size_y_id = 11) in;

const uint STEPS = 16u;

// The operands' part of a block, a row of each for every step: its elements in
// fours, or quads. Every other four steps the quads of a row change places with
// their neighbours' (see at): sixteen elements along k and m then go to as many
// banks when a loaded vector is spread over four steps, without any padding.
shared vec4 left[STEPS * TILES_Y * 2u];
shared vec4 right[STEPS * TILES_X * 2u];

uint at(uint step, uint quad, uint quads) { return step * quads + (quad ^ (step & 4u)); }

// The vectors that this invocation loads of each operand, number
// i * (number of invocations) + gl_LocalInvocationIndex, kept in registers while
// the block before is multiplied.
vec4 nextLeft[4], nextRight[4];

// alongStep is where vector e of an operand lies whose vectors are of four
// steps: the element and the first step. Two vectors that lie together in
// memory are loaded side by side.
uvec2 alongStep(uint e, uint extent) {
    return uvec2(e / 2u % extent, (e / (2u * extent) * 2u + e % 2u) * 4u);
}

// acrossStep is the same where vectors are of four elements.
uvec2 acrossStep(uint e, uint extent) { return uvec2(e % (extent / 4u) * 4u, e / (extent / 4u)); }

// FETCH_BLOCK loads an operand's vectors from step p0 and element first on;
// what lies outside the matrix, or from `end` on, is zero.
#define FETCH_BLOCK(next, loads, operand, ACROSS, p0, first, extent, size)                        \
    for (uint i = 0u; i < loads; ++i) {                                                           \
        const uint e = i * (TILES_X * TILES_Y) + gl_LocalInvocationIndex;                         \
        const uvec2 to = ACROSS ? acrossStep(e, extent) : alongStep(e, extent);                   \
        const uint element = first + to.x, p = p0 + to.y;                                         \
        next[i] = vec4(0.0);                                                                      \
        if (element < size && p < end) {                                                          \
            next[i] = ACROSS ? LOAD(operand, p * size, element, size) : LOAD(operand, element * k, p, k); \
            if (TAIL && !ACROSS) {                                                                \
                next[i] = mix(vec4(0.0), next[i], lessThan(uvec4(p) + uvec4(0, 1, 2, 3), uvec4(end))); \
            }                                                                                     \
        }                                                                                         \
    }

#define STAGE_BLOCK(block, next, loads, ACROSS, extent)                                           \
    for (uint i = 0u; i < loads; ++i) {                                                           \
        const uint e = i * (TILES_X * TILES_Y) + gl_LocalInvocationIndex;                         \
        const uvec2 to = ACROSS ? acrossStep(e, extent) : alongStep(e, extent);                   \
        if (ACROSS) {                                                                             \
            block[at(to.y, to.x / 4u, extent / 4u)] = next[i];                                    \
        } else {                                                                                  \
            for (uint s = 0u; s < 4u; ++s) {                                                      \
                block[at(to.y + s, to.x / 4u, extent / 4u)][to.x % 4u] = next[i][s];              \
            }                                                                                     \
        }                                                                                         \
    }

void main() {
    const uvec2 tiles = uvec2(TILES_X, TILES_Y), block = tiles * 8u, loads = 32u / tiles.yx;
    const uvec2 first = gl_WorkGroupID.xy * block; // column and row
    const uvec2 quad = gl_LocalInvocationID.xy;
    const uint begin = gl_WorkGroupID.z * part;
    const uint end = min(k, begin + part);

    clearTile();
    FETCH_BLOCK(nextLeft, loads.y, a, TRANS_A, begin, first.y, block.y, m)
    FETCH_BLOCK(nextRight, loads.x, b, !TRANS_B, begin, first.x, block.x, n)
    for (uint p0 = begin; p0 < end; p0 += STEPS) {
        barrier(); // the last block has been read
        STAGE_BLOCK(left, nextLeft, loads.y, TRANS_A, block.y)
        STAGE_BLOCK(right, nextRight, loads.x, !TRANS_B, block.x)
        barrier();
        FETCH_BLOCK(nextLeft, loads.y, a, TRANS_A, p0 + STEPS, first.y, block.y, m)
        FETCH_BLOCK(nextRight, loads.x, b, !TRANS_B, p0 + STEPS, first.x, block.x, n)
        for (uint step = 0u; step < STEPS; step += 4u) {
            vec4 va[8], vb[8];
            for (uint i = 0u; i < 8u; ++i) {
                va[i] = left[at(step + i / 2u, quad.y + i % 2u * TILES_Y, 2u * TILES_Y)];
                vb[i] = right[at(step + i / 2u, quad.x + i % 2u * TILES_X, 2u * TILES_X)];
            }
            addToTile(va, true, vb, true)
        }
    }
    storeTile(first + quad * 4u, tiles * 4u);
}
