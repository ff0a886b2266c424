// Matrix product with operands in shared memory, for GPUs; the equation is in
// gemm_matrices.glsl, how a workgroup makes its block in blocks.glsl.
//
// Define VEC.
#include "gemm_tile.glsl"

layout(constant_id = 11) const uint TILES_Y = 8;
layout(local_size_x_id = 9, local_size_y_id = 11) in;
#include "blocks.glsl"
#include "gemm_sums.glsl"

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

void main() {
    const uvec2 tiles = uvec2(TILES_X, TILES_Y), block = tiles * 8u, loads = 32u / tiles.yx;
    const uvec2 first = gl_WorkGroupID.xy * block; // column and row
    const uint begin = gl_WorkGroupID.z * part;
    const uint end = min(k, begin + part);

    clearTile();
    vec4 rowSums = vec4(0.0); // of the four rows that this invocation loads
    FETCH_BLOCK(nextLeft, loads.y, a, TRANS_A, begin, first.y, block.y, m)
    FETCH_BLOCK(nextRight, loads.x, b, !TRANS_B, begin, first.x, block.x, n)
    for (uint p0 = begin; p0 < end; p0 += STEPS) {
        barrier(); // the last block has been read
        STAGE_BLOCK(left, nextLeft, loads.y, TRANS_A, block.y)
        STAGE_BLOCK(right, nextRight, loads.x, !TRANS_B, block.x)
        if (makesSums()) {
            for (uint i = 0u; i < loads.y; ++i) {
                rowSums += nextLeft[i];
            }
        }
        barrier();
        FETCH_BLOCK(nextLeft, loads.y, a, TRANS_A, p0 + STEPS, first.y, block.y, m)
        FETCH_BLOCK(nextRight, loads.x, b, !TRANS_B, p0 + STEPS, first.x, block.x, n)
        multiplyBlocks();
    }
    storeTile(first + gl_LocalInvocationID.xy * 4u, tiles * 4u);
    if (makesSums()) {
        barrier(); // the last block has been read
        left[gl_LocalInvocationIndex] = rowSums;
        barrier();
        const uint quads = block.y / 4u, quad = gl_LocalInvocationIndex; // see acrossStep
        if (quad < quads) {
            vec4 total = vec4(0.0);
            for (uint i = quad; i < TILES_X * TILES_Y; i += quads) {
                total += left[i];
            }
            storeSums(first.y + quad * 4u, total);
        }
    }
}
