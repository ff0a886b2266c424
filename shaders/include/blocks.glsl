// Blocks of two operands in shared memory, from which a workgroup of TILES_X x
// TILES_Y invocations makes the products of 8 TILES_Y rows and 8 TILES_X
// columns: every 16 steps of the sum are loaded once for all of them.
//
// TILES_X and TILES_Y, specialization constants, are at least 8, powers of two,
// and 16 at most: then shared memory is 16 KiB at most, and all loops have ends
// that the compiler knows.
//
// An invocation's tile is of the rows from 4 gl_LocalInvocationID.y on, four of
// them and another four 4 TILES_Y rows below; its columns likewise.
#ifndef BLOCKS_GLSL
#define BLOCKS_GLSL

#include "tile.glsl"

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

// STAGE_BLOCK stores what was loaded of an operand.
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

// multiplyBlocks adds the products of what is in shared memory to the tile.
void multiplyBlocks() {
    const uvec2 quad = gl_LocalInvocationID.xy;
    for (uint step = 0u; step < STEPS; step += 4u) {
        vec4 va[8], vb[8];
        for (uint i = 0u; i < 8u; ++i) {
            va[i] = left[at(step + i / 2u, quad.y + i % 2u * TILES_Y, 2u * TILES_Y)];
            vb[i] = right[at(step + i / 2u, quad.x + i % 2u * TILES_X, 2u * TILES_X)];
        }
        addToTile(va, true, vb, true)
    }
}

#endif
