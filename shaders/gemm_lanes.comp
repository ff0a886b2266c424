#version 450
// Matrix product for llvmpipe; the equation is in gemm_matrices.glsl. a is (m, k),
// or (k, m) where TRANS_A; b is in the panels of gemm_pack.comp, or (k, n) where
// TRANS_A. k is a multiple of STEPS, and but for TRANS_A n of 32.
//
// A subgroup's eight lanes are eight columns: it makes a tile of 6 x 32 elements in
// 24 registers. That is quick where the compiler sees that all lanes read the same
// address: it does for addresses made of push constants, under no condition and in
// no loop. So every number goes through the table `count` of push constants, loops
// are unrolled, and each subgroup adds only STEPS products to the sums, which the
// subgroups of a tile, run in order, hand on in shared memory without a barrier.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
#define VEC 4
#define EPILOGUE_BINDING 2
#include "gemm_epilogue.glsl"

const uint ROWS = 6u, COLUMNS = 32u;

// After so many steps there is a branch that is never taken, as the time to
// compile grows as the square of what lies between; what is stored before it keeps
// the compiler from moving all sums behind it.
const uint BLOCK = 16u;

layout(constant_id = 6) const bool TRANS_A = false;
layout(constant_id = 8) const bool SPLIT = false; // as in gemm_matrices.glsl
layout(constant_id = 9) const uint STEPS = 16u;
layout(constant_id = 10) const bool TAIL = true; // the last part of k is shorter
layout(constant_id = 11) const uint WIDTH_A = 1u; // TRANS_A: m
layout(constant_id = 12) const uint WIDTH_B = COLUMNS; // TRANS_A: n
layout(constant_id = 13) const uint CHUNKS = 1u; // of STEPS, that a workgroup adds
layout(constant_id = 14) const uint TILES = 1u; // of a workgroup, one below the other
layout(local_size_x = 8, local_size_y_id = 13, local_size_z_id = 14) in;

// All are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer A { float unused_a[]; };
layout(std430, set = 0, binding = 1) readonly buffer B { float unused_b[]; };
layout(push_constant) uniform Push {
    uvec2 a, b, c_at, bias_at, factor_at, residual_at;
    uint m, n, k;
    uint part; // elements of k that a workgroup sums
    uint slot; // SPLIT: the number of the first part
    float alpha;
    uint count[16]; // 0, 1, 2, …
};

layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { float at[]; };
shared float sums[ROWS * COLUMNS];

// uniform8 is x, which must be the same for all lanes and below 256; uniform16, below 65536.
uint uniform8(uint x) { return count[x & 15u] + 16u * count[x >> 4 & 15u]; }
uint uniform16(uint x) { return uniform8(x & 255u) + 256u * uniform8(x >> 8); }

Floats move(uvec2 x, uint elements) { return Floats(packUint2x32(x) + 4ul * elements); }

// LANES_OF is for each lane the element of x after `first` that has its number:
// one load of eight.
#define LANES_OF(x, first) lanes(x[first], x[(first) + 1u], x[(first) + 2u], x[(first) + 3u], \
    x[(first) + 4u], x[(first) + 5u], x[(first) + 6u], x[(first) + 7u])
float lanes(float x0, float x1, float x2, float x3, float x4, float x5, float x6, float x7) {
    const uint lane = gl_SubgroupInvocationID;
    float x = x0;
    x = lane == 1u ? x1 : x;
    x = lane == 2u ? x2 : x;
    x = lane == 3u ? x3 : x;
    x = lane == 4u ? x4 : x;
    x = lane == 5u ? x5 : x;
    x = lane == 6u ? x6 : x;
    return lane == 7u ? x7 : x;
}

// SPREAD stores the sum of a lane.
#define SPREAD(lane) sums[first + lane] = subgroupBroadcast(sum[i][j], lane);

void main() {
    const uint subgroup = uniform8(gl_SubgroupID);
    const uint chunk = subgroup % CHUNKS, tile = uniform16(gl_WorkGroupID.x) * TILES + subgroup / CHUNKS;
    const uint ownColumn = COLUMNS * uniform8(gl_WorkGroupID.y);
    const uint begin = part * uniform8(gl_WorkGroupID.z) + STEPS * chunk;
    // A tile that would reach beyond the matrix is moved inside, and stores what
    // lies in its own place; so is a chunk, and adds nothing.
    const uint row0 = min(ROWS * tile, m - ROWS), column = TRANS_A ? min(ownColumn, n - COLUMNS) : ownColumn;
    const uint step0 = TAIL ? min(begin, k - STEPS) : begin;

    Floats rows[ROWS], columns;
    if (TRANS_A) {
        rows[0] = move(a, step0 * WIDTH_A + row0);
        columns = move(b, step0 * WIDTH_B + column);
    } else {
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
            rows[i] = move(a, (row0 + i) * k + step0);
        }
        columns = move(b, column * k + COLUMNS * step0);
    }

    float sum[ROWS][COLUMNS / 8u], old[ROWS][COLUMNS / 8u];
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
        [[unroll]] for (uint j = 0u; j < COLUMNS / 8u; ++j) {
            const float x = LANES_OF(sums, i * COLUMNS + 8u * j);
            old[i][j] = chunk == 0u ? 0.0 : x; // a choice of numbers, no branch
            sum[i][j] = old[i][j];
        }
    }
    [[unroll]] for (uint s = 0u; s < STEPS; ++s) {
        if (s > 0u && s % BLOCK == 0u) {
            [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
                [[unroll]] for (uint j = 0u; j < COLUMNS / 8u; ++j) {
                    sums[i * COLUMNS + 8u * j] = sum[i][j];
                }
            }
            if (m == 0u) {
                sums[gl_SubgroupInvocationID] = 0.0;
            }
        }
        float y[COLUMNS / 8u];
        [[unroll]] for (uint j = 0u; j < COLUMNS / 8u; ++j) {
            y[j] = LANES_OF(columns.at, s * WIDTH_B + 8u * j);
        }
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
            const float x = TRANS_A ? rows[0].at[s * WIDTH_A + i] : rows[i].at[s];
            [[unroll]] for (uint j = 0u; j < COLUMNS / 8u; ++j) {
                sum[i][j] = fma(x, y[j], sum[i][j]);
            }
        }
    }
    const bool last = chunk == CHUNKS - 1u;
    Floats biases = move(bias_at, column);
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
        const uint start = (row0 + i) * n + column;
        Floats factors = move(factor_at, start), residuals = move(residual_at, start), olds = move(c_at, start);
        [[unroll]] for (uint j = 0u; j < COLUMNS / 8u; ++j) {
            if (TAIL) {
                sum[i][j] = begin < k ? sum[i][j] : old[i][j];
            }
            if (!SPLIT) { // all of the epilogue but GELU, which nothing else follows
                float v = alpha * sum[i][j];
                if (BIAS) {
                    v += LANES_OF(biases.at, 8u * j);
                }
                if (FACTOR) {
                    v *= LANES_OF(factors.at, 8u * j);
                }
                if (RESIDUAL) {
                    v += LANES_OF(residuals.at, 8u * j);
                }
                if (ACCUMULATE) {
                    v += LANES_OF(olds.at, 8u * j);
                }
                sum[i][j] = last ? v : sum[i][j];
            }
            const uint first = i * COLUMNS + 8u * j;
            SPREAD(0u) SPREAD(1u) SPREAD(2u) SPREAD(3u) SPREAD(4u) SPREAD(5u) SPREAD(6u) SPREAD(7u)
        }
    }

    // In a loop, so that the chunks before the last pass by this once only.
    const uint quad = 4u * gl_SubgroupInvocationID;
    if (last && (!TRANS_A || column + quad >= ownColumn)) {
        const uint from = SPLIT ? (slot + gl_WorkGroupID.z) * m : 0u;
        [[dont_unroll]] for (uint i = ROWS * tile - row0; i < ROWS; ++i) {
            const uint at = ((from + row0 + i) * n + column + quad) / 4u, here = i * COLUMNS + quad;
            vec4 v = vec4(sums[here], sums[here + 1u], sums[here + 2u], sums[here + 3u]);
            if (GELU) {
                vec4 d;
                v = geluStored(v, d);
                if (SLOPE) {
                    STORE(slope, at, d)
                }
            }
            STORE(c, at, v)
        }
    }
}
