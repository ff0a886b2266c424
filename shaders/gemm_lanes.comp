#version 450
// Matrix product for llvmpipe; the equation is in gemm_matrices.glsl. a is (m, k),
// or (k, m) where TRANS_A; b is in the panels of gemm_pack.comp, or (k, n) where
// TRANS_A. m is a multiple of ROWS, n of COLUMNS and k of STEPS; where sums are not
// IN_SHARED memory, c and slope are float32.
//
// A subgroup's eight lanes are eight columns: it makes a tile of ROWS x COLUMNS elements
// in ROWS x VECTORS registers, in the straight code that uniform.glsl asks for. So each
// subgroup adds only STEPS products to the sums, which the subgroups of a tile, run in
// order, hand on without a barrier: in c, or IN_SHARED memory where the compiler makes
// one store there of what lies in all lanes. No choice is made between sums, only
// between what is added to them: the compiler would make a branch of it and move the
// sums there.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#define VEC 4
#define EPILOGUE_BINDING 2
#include "gemm_epilogue.glsl"

// IN_SHARED: steps of straight code; what is stored after them keeps the compiler
// from moving all sums behind the cut.
const uint STRAIGHT = 16u;

layout(constant_id = 6) const bool TRANS_A = false;
layout(constant_id = 8) const bool SPLIT = false; // as in gemm_matrices.glsl
layout(constant_id = 9) const uint STEPS = 16u;
layout(constant_id = 10) const uint ROWS = 6u;
layout(constant_id = 11) const uint WIDTH_A = 1u; // TRANS_A: m
layout(constant_id = 12) const uint WIDTH_B = 32u; // TRANS_A: n, else COLUMNS
layout(constant_id = 13) const uint CHUNKS = 1u; // of STEPS, that a workgroup adds
layout(constant_id = 14) const uint TILES = 1u; // of a workgroup, one below the other
layout(constant_id = 15) const bool IN_SHARED = false;
layout(constant_id = 16) const uint VECTORS = 4u; // of eight columns
layout(local_size_x = 8, local_size_y_id = 13, local_size_z_id = 14) in;

const uint COLUMNS = 8u * VECTORS;

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
#include "uniform.glsl"

layout(std430, set = 0, binding = EPILOGUE_BINDING) writeonly buffer CFloats { float c1[]; };
layout(std430, set = 0, binding = EPILOGUE_BINDING + 1) writeonly buffer SlopeFloats { float slope1[]; };

shared float sums[ROWS * COLUMNS];

// SHARED_OF is as LANES_OF, of the sums.
#define SHARED_OF(first) ofLane(sums[first], sums[(first) + 1u], sums[(first) + 2u], sums[(first) + 3u], \
    sums[(first) + 4u], sums[(first) + 5u], sums[(first) + 6u], sums[(first) + 7u])

// EACH begins a loop over the vectors of a tile.
#define EACH(i, j) [[unroll]] for (uint i = 0u; i < ROWS; ++i) [[unroll]] for (uint j = 0u; j < VECTORS; ++j)

// SPREAD stores the sum of a lane.
#define SPREAD(lane) sums[first + lane] = subgroupBroadcast(sum[i][j], lane);

void main() {
    const uint subgroup = uniform8(gl_SubgroupID), lane = gl_SubgroupInvocationID;
    const uint chunk = subgroup % CHUNKS, tile = uniform16(gl_WorkGroupID.x) * TILES + subgroup / CHUNKS;
    const bool last = chunk == CHUNKS - 1u;
    const uint row0 = ROWS * tile, column = COLUMNS * uniform8(gl_WorkGroupID.y), slice = uniform8(gl_WorkGroupID.z);
    const uint step0 = part * slice + STEPS * chunk;
    const uint start = ((SPLIT ? (slot + slice) * m : 0u) + row0) * n + column; // in c

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

    float sum[ROWS][VECTORS];
    EACH(i, j) {
        float x = 0.0;
        if (IN_SHARED) {
            x = SHARED_OF(i * COLUMNS + 8u * j);
        } else if (ACCUMULATE || CHUNKS > 1u) {
            Floats before = move(c_at, start + i * n);
            x = LANES_OF(before, 8u * j);
        }
        sum[i][j] = chunk > 0u || ACCUMULATE && !IN_SHARED ? x : 0.0;
    }
    [[unroll]] for (uint s = 0u; s < STEPS; ++s) {
        if (IN_SHARED && s > 0u && s % STRAIGHT == 0u) {
            EACH(i, j) {
                sums[i * COLUMNS + 8u * j] = sum[i][j];
            }
            CUT(true, sums[lane] = 0.0)
        }
        float y[VECTORS];
        [[unroll]] for (uint j = 0u; j < VECTORS; ++j) {
            y[j] = LANES_OF(columns, s * WIDTH_B + 8u * j);
        }
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
            const float x = TRANS_A ? rows[0].at[s * WIDTH_A + i] : rows[i].at[s];
            [[unroll]] for (uint j = 0u; j < VECTORS; ++j) {
                sum[i][j] = fma(x, y[j], sum[i][j]);
            }
        }
    }
    if (!SPLIT) { // all of the epilogue but GELU, which nothing else follows
        const float scale = last ? alpha : 1.0;
        Floats biases = move(bias_at, column);
        EACH(i, j) {
            const uint here = start + i * n;
            Floats factors = move(factor_at, here), residuals = move(residual_at, here), before = move(c_at, here);
            sum[i][j] *= scale;
            if (BIAS) {
                const float x = LANES_OF(biases, 8u * j);
                sum[i][j] += last ? x : 0.0;
            }
            if (FACTOR) {
                const float x = LANES_OF(factors, 8u * j);
                sum[i][j] *= last ? x : 1.0;
            }
            if (RESIDUAL) {
                const float x = LANES_OF(residuals, 8u * j);
                sum[i][j] += last ? x : 0.0;
            }
            if (ACCUMULATE && IN_SHARED) {
                const float x = LANES_OF(before, 8u * j);
                sum[i][j] += last ? x : 0.0;
            }
        }
    }

    // In a loop, so that the chunks before the last pass by what is the last's.
    if (IN_SHARED) {
        EACH(i, j) {
            const uint first = i * COLUMNS + 8u * j;
            SPREAD(0u) SPREAD(1u) SPREAD(2u) SPREAD(3u) SPREAD(4u) SPREAD(5u) SPREAD(6u) SPREAD(7u)
        }
        [[dont_unroll]] for (uint q = last ? lane : ROWS * VECTORS * 2u; q < ROWS * VECTORS * 2u; q += 8u) {
            const uint at = (start + q / (VECTORS * 2u) * n) / 4u + q % (VECTORS * 2u);
            vec4 v = vec4(sums[4u * q], sums[4u * q + 1u], sums[4u * q + 2u], sums[4u * q + 3u]);
            if (GELU) {
                vec4 d;
                v = geluStored(v, d);
                if (SLOPE) {
                    STORE(slope, at, d)
                }
            }
            STORE(c, at, v)
        }
    } else {
        if (GELU) {
            EACH(i, j) {
                float d;
                const float y = gelu(sum[i][j], d);
                if (SLOPE) {
                    slope1[start + i * n + 8u * j + lane] = d;
                }
                sum[i][j] = last ? y : sum[i][j];
            }
        }
        EACH(i, j) {
            c1[start + i * n + 8u * j + lane] = sum[i][j];
        }
    }
}
