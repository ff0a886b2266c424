// Matrix product on a device's matrix units (VK_KHR_cooperative_matrix): operands
// of 16 bits, sums of 32. The equation is in gemm_matrices.glsl.
//
// A workgroup makes a block of 8 TILES_Y rows and 8 TILES_X columns; its
// subgroups, SUBGROUPS_X of them side by side, divide that among themselves, each
// in matrices of MATRIX_M x MATRIX_N sums. Every STEPS steps of the sum are loaded
// once for all of them: while one part of the operands is multiplied from shared
// memory, the next is on its way to registers.
//
// Define OPERAND, float16_t or bfloat16_t, OPERAND_TYPE, its number in types.glsl,
// and roundOperand, which rounds four numbers to it.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_control_flow_attributes : require
#define VEC 4
#include "gemm_matrices.glsl"
#include "gemm_sums.glsl"

layout(constant_id = 11) const uint TILES_Y = 8;
layout(constant_id = 12) const uint INVOCATIONS = 64;
layout(constant_id = 13) const uint SUBGROUP = 32; // invocations of a subgroup
layout(constant_id = 14) const uint SUBGROUPS_X = 1;
layout(constant_id = 15) const uint STEPS = 32; // a multiple of MATRIX_K
layout(constant_id = 16) const uint MATRIX_M = 16;
layout(constant_id = 17) const uint MATRIX_N = 16;
layout(constant_id = 18) const uint MATRIX_K = 16;
layout(local_size_x_id = 12) in;

// The block, and of it a subgroup's part, in matrices.
const uint ROWS = 8u * TILES_Y, COLUMNS = 8u * TILES_X;
const uint SUBGROUPS_Y = INVOCATIONS / SUBGROUP / SUBGROUPS_X;
const uint DOWN = ROWS / (SUBGROUPS_Y * MATRIX_M), ACROSS = COLUMNS / (SUBGROUPS_X * MATRIX_N);

// Shared memory holds the operands' parts as they are stored, eight elements to a
// uvec4, rows padded by one so that a matrix's rows begin in different banks; after
// the last step it holds sums, the rows of one matrix of every subgroup at a time.
const uint LEFT_ROWS = TRANS_A ? STEPS : ROWS, LEFT_WIDTH = (TRANS_A ? ROWS : STEPS) / 8u;
const uint RIGHT_ROWS = TRANS_B ? COLUMNS : STEPS, RIGHT_WIDTH = (TRANS_B ? STEPS : COLUMNS) / 8u;
const uint RIGHT = LEFT_ROWS * (LEFT_WIDTH + 1u);
const uint OPERANDS = RIGHT + RIGHT_ROWS * (RIGHT_WIDTH + 1u);
const uint SUM_ROWS = SUBGROUPS_Y * MATRIX_M, SUM_WIDTH = COLUMNS / 4u;
const uint HELD = SUM_ROWS * (SUM_WIDTH + 1u);
shared uvec4 block[OPERANDS > HELD ? OPERANDS : HELD];

// What an invocation loads of each operand, as it is stored: eight elements are
// one uvec4 if they have 16 bits, else two.
const uint LEFT_LOADS = TILES_Y * STEPS / INVOCATIONS, RIGHT_LOADS = TILES_X * STEPS / INVOCATIONS;
uvec4 nextLeft[2u * LEFT_LOADS], nextRight[2u * RIGHT_LOADS];

#define STORED_QUAD(next, i, q, operand, quad)                                                    \
    if (IS_WIDE(operand)) {                                                                       \
        next[2u * i + q] = floatBitsToUint(operand[quad]);                                        \
    } else if (q == 0u) {                                                                         \
        next[2u * i].xy = operand##16[quad];                                                      \
    } else {                                                                                      \
        next[2u * i].zw = operand##16[quad];                                                      \
    }

// FETCH_PART loads an operand's part from step p0 and element `first` of `size` on.
// Its rows run across the steps, one for each, or along them. Elements outside the
// matrix repeat some inside it, as nothing of them is stored; steps from `end` on
// are zero.
#define FETCH_PART(next, loads, operand, RUNS_ACROSS, width, p0, first, size)                     \
    [[unroll]] for (uint i = 0u; i < loads; ++i) {                                                \
        const uint e = i * INVOCATIONS + gl_LocalInvocationIndex;                                 \
        const uint row = e / width, col = e % width * 8u;                                         \
        next[2u * i] = next[2u * i + 1u] = uvec4(0u);                                             \
        [[unroll]] for (uint q = 0u; q < 2u; ++q) {                                               \
            const uint p = p0 + (RUNS_ACROSS ? row : col + 4u * q);                               \
            const uint at = RUNS_ACROSS ? p * size + min(first + col + 4u * q, size - 4u)         \
                                        : min(first + row, size - 1u) * k + p;                    \
            if (!TAIL || p < end) {                                                               \
                STORED_QUAD(next, i, q, operand, at / 4u)                                         \
            }                                                                                     \
        }                                                                                         \
    }

// LOADED is a quad of what was loaded.
#define LOADED(next, i, q, operand)                                                               \
    (IS_WIDE(operand) ? uintBitsToFloat(next[2u * i + q]) : widen(operand##_TYPE, q == 0u ? next[2u * i].xy : next[2u * i].zw))

#define ROUNDED(next, i, q, operand) roundOperand(LOADED(next, i, q, operand))

// STAGE_PART stores what was loaded of an operand.
#define STAGE_PART(start, next, loads, operand, width)                                            \
    [[unroll]] for (uint i = 0u; i < loads; ++i) {                                                \
        const uint e = i * INVOCATIONS + gl_LocalInvocationIndex;                                 \
        block[start + e / width * (width + 1u) + e % width] = operand##_TYPE == OPERAND_TYPE      \
            ? next[2u * i] : uvec4(ROUNDED(next, i, 0u, operand), ROUNDED(next, i, 1u, operand)); \
    }

#define FETCH_PARTS(p0)                                                                           \
    FETCH_PART(nextLeft, LEFT_LOADS, a, TRANS_A, LEFT_WIDTH, p0, first.y, m)                      \
    FETCH_PART(nextRight, RIGHT_LOADS, b, !TRANS_B, RIGHT_WIDTH, p0, first.x, n)

void main() {
    const uvec2 first = gl_WorkGroupID.xy * uvec2(COLUMNS, ROWS); // column and row
    const uint begin = gl_WorkGroupID.z * part, end = min(k, begin + part);
    // The subgroup's first column and row of the block.
    const uvec2 own = uvec2(gl_SubgroupID % SUBGROUPS_X * ACROSS * MATRIX_N,
                            gl_SubgroupID / SUBGROUPS_X * DOWN * MATRIX_M);

    coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> matrices[DOWN * ACROSS];
    [[unroll]] for (uint i = 0u; i < DOWN * ACROSS; ++i) {
        matrices[i] = coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>(0.0);
    }
    vec4 rowSums[2] = vec4[2](vec4(0.0), vec4(0.0)); // of the eight rows that this invocation loads
    FETCH_PARTS(begin)
    for (uint p0 = begin; p0 < end; p0 += STEPS) {
        barrier(); // the last part has been read
        STAGE_PART(0u, nextLeft, LEFT_LOADS, a, LEFT_WIDTH)
        STAGE_PART(RIGHT, nextRight, RIGHT_LOADS, b, RIGHT_WIDTH)
        if (makesSums()) {
            [[unroll]] for (uint i = 0u; i < LEFT_LOADS; ++i) {
                rowSums[0] += LOADED(nextLeft, i, 0u, a);
                rowSums[1] += LOADED(nextLeft, i, 1u, a);
            }
        }
        barrier();
        if (p0 + STEPS < end) {
            FETCH_PARTS(p0 + STEPS)
        }
        [[unroll]] for (uint step = 0u; step < STEPS; step += MATRIX_K) {
            coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> left[DOWN];
            [[unroll]] for (uint i = 0u; i < DOWN; ++i) {
                const uint row = own.y + i * MATRIX_M;
                if (TRANS_A) {
                    coopMatLoad(left[i], block, step * (LEFT_WIDTH + 1u) + row / 8u, LEFT_WIDTH + 1u, gl_CooperativeMatrixLayoutColumnMajor);
                } else {
                    coopMatLoad(left[i], block, row * (LEFT_WIDTH + 1u) + step / 8u, LEFT_WIDTH + 1u, gl_CooperativeMatrixLayoutRowMajor);
                }
            }
            [[unroll]] for (uint j = 0u; j < ACROSS; ++j) {
                coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> right;
                const uint col = own.x + j * MATRIX_N;
                if (TRANS_B) {
                    coopMatLoad(right, block, RIGHT + col * (RIGHT_WIDTH + 1u) + step / 8u, RIGHT_WIDTH + 1u, gl_CooperativeMatrixLayoutColumnMajor);
                } else {
                    coopMatLoad(right, block, RIGHT + step * (RIGHT_WIDTH + 1u) + col / 8u, RIGHT_WIDTH + 1u, gl_CooperativeMatrixLayoutRowMajor);
                }
                [[unroll]] for (uint i = 0u; i < DOWN; ++i) {
                    matrices[i * ACROSS + j] = coopMatMulAdd(left[i], right, matrices[i * ACROSS + j]);
                }
            }
        }
    }
    for (uint i = 0u; i < DOWN; ++i) {
        barrier(); // what was there has been read
        [[unroll]] for (uint l = 0u; l < DOWN * ACROSS; ++l) { // they take no index but a constant
            if (l / ACROSS == i) {
                coopMatStore(matrices[l], block, gl_SubgroupID / SUBGROUPS_X * MATRIX_M * (SUM_WIDTH + 1u) + (own.x + l % ACROSS * MATRIX_N) / 4u,
                             SUM_WIDTH + 1u, gl_CooperativeMatrixLayoutRowMajor);
            }
        }
        barrier();
        for (uint e = gl_LocalInvocationIndex; e < SUM_ROWS * SUM_WIDTH; e += INVOCATIONS) {
            const uint at = e / SUM_WIDTH, row = first.y + (at / MATRIX_M * DOWN + i) * MATRIX_M + at % MATRIX_M;
            const uint col = first.x + e % SUM_WIDTH * 4u;
            if (row < m && col < n) {
                storeProduct(row, col, uintBitsToFloat(block[at * (SUM_WIDTH + 1u) + e % SUM_WIDTH]));
            }
        }
    }
    if (makesSums()) {
        barrier(); // the sums have been read
        block[2u * gl_LocalInvocationIndex] = floatBitsToUint(rowSums[0]);
        block[2u * gl_LocalInvocationIndex + 1u] = floatBitsToUint(rowSums[1]);
        barrier();
        const uint quads = ROWS / 4u, quad = gl_LocalInvocationIndex;
        if (quad < quads) {
            vec4 total = vec4(0.0);
            for (uint i = quad; i < 2u * INVOCATIONS; i += quads) {
                total += uintBitsToFloat(block[i]);
            }
            storeSums(first.y + quad * 4u, total);
        }
    }
}
