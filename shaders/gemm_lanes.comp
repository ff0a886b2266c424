#version 450
// Matrix product for llvmpipe; the equation is in gemm_matrices.glsl. a is (m, k),
// or (k, m) where TRANS_A; b is in the panels of gemm_pack.comp, or (k, n) where
// TRANS_A, which asks for SPLIT. All is float32; m is a multiple of ROWS, n of COLUMNS
// and k of STEPS.
//
// A subgroup's lanes are columns: it makes a tile of ROWS x COLUMNS elements in
// ROWS x VECTORS registers, in the straight code that uniform.glsl asks for, which
// must fit the instruction cache. So each subgroup adds only STEPS products to the sums,
// which the subgroups of a tile, run in order, hand on in c without a barrier.
//
// With quick broadcasts a subgroup stores a register as it is. Without, a lane stores
// VECTORS sums side by side, as llvmpipe takes a branch, or a scatter, for each
// store of a lane: the element at 8 j + l of a row of the tile goes to VECTORS l + j.
// What loads eight elements side by side then has the bits of its columns' numbers
// rotated, and b's panels take that into account; where b is read in place, sums are
// loaded from where they were stored, and gemm_reduce puts them right.
//
// No choice is made between sums, only between what is added to them: the compiler
// would make a branch of it and move the sums there.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define EPILOGUE_BINDING 2
#include "gemm_epilogue.glsl"

const uint STRAIGHT = 48u; // steps without a cut

layout(constant_id = 6) const bool TRANS_A = false;
layout(constant_id = 8) const bool SPLIT = false; // as in gemm_matrices.glsl
layout(constant_id = 9) const uint STEPS = 16u;
layout(constant_id = 10) const uint ROWS = 6u;
layout(constant_id = 11) const uint WIDTH_A = 1u; // TRANS_A: m
layout(constant_id = 12) const uint WIDTH_B = 32u; // TRANS_A: n
layout(constant_id = 13) const uint CHUNKS = 1u; // of STEPS, that a workgroup adds
layout(constant_id = 14) const uint TILES = 1u; // of a workgroup, one below the other
layout(constant_id = 15) const uint ACROSS = 1u; // side by side
layout(constant_id = 16) const uint VECTORS = 4u; // of LANES columns: 1, 2 or 4
layout(constant_id = 17) const uint SUBGROUPS = 1u;
layout(constant_id = 18) const uint GROUPS_X = 1u;
layout(constant_id = 19) const uint GROUPS_Y = 1u;
layout(constant_id = 20) const uint GROUPS_Z = 1u;

// All are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer A { float unused_a[]; };
layout(std430, set = 0, binding = 1) readonly buffer B { float unused_b[]; };
layout(push_constant) uniform Push {
    uvec2 a, b, c_at, bias_at, factor_at, residual_at;
    uint m, n, k;
    float alpha;
    uint count[16]; // 0, 1, 2, …
};
#include "uniform.glsl"
#include "rotated.glsl"
const uint COLUMNS = LANES * VECTORS;
layout(local_size_x_id = 98, local_size_y_id = 17) in;

BLOCKS_OUT(EPILOGUE_BINDING, c);
BLOCKS_OUT(EPILOGUE_BINDING + 1, slope);
layout(std430, set = 0, binding = EPILOGUE_BINDING) writeonly buffer CFloats { float cFloat[]; };
layout(std430, set = 0, binding = EPILOGUE_BINDING) writeonly buffer CPairs { uint64_t cPair[]; };
layout(std430, set = 0, binding = EPILOGUE_BINDING + 1) writeonly buffer SlopePairs { uint64_t slopePair[]; };

// EACH begins a loop over the vectors of a tile.
#define EACH(i, j) [[unroll]] for (uint i = 0u; i < ROWS; ++i) [[unroll]] for (uint j = 0u; j < VECTORS; ++j)

// STORED_OF are the elements that lanes store as their number j, FIRST_OF those that
// after handing them on they store as such.
#define STORED_OF(x, j) (BROADCASTS ? lanesOf(x, LANES * (j)) : ofLane(EIGHT_OF(x, j, VECTORS)))
#define FIRST(x, p) x.at[rotated(p, COLUMNS, CHUNKS)]
#define FIRST_OF(x, j) (BROADCASTS ? lanesOf(x, LANES * (j)) : \
    ofLane(FIRST(x, 8u * (j)), FIRST(x, 8u * (j) + 1u), FIRST(x, 8u * (j) + 2u), FIRST(x, 8u * (j) + 3u), \
        FIRST(x, 8u * (j) + 4u), FIRST(x, 8u * (j) + 5u), FIRST(x, 8u * (j) + 6u), FIRST(x, 8u * (j) + 7u)))

// HOLD keeps the compiler from moving additions behind the cut that it makes.
#define HOLD(sum)                    \
    {                                \
        float all = 0.0;             \
        EACH(i, j) {                 \
            all += sum[i][j];        \
        }                            \
        CUT(true, cFloat[lane] = all)    \
    }
#define STORE_TILE(NAME, sum)                                                                             \
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) {                                                         \
        const uint at = start + i * n;                                                                    \
        if (BROADCASTS) {                                                                                 \
            [[unroll]] for (uint j = 0u; j < VECTORS; ++j) {                                              \
                RUNS_STORE(NAME, at + LANES * j, sum[i][j])                                               \
            }                                                                                             \
        } else if (VECTORS == 4u) {                                                                       \
            NAME##Quad[at / 4u + lane] = u64vec2(pair(vec2(sum[i][0], sum[i][1])), pair(vec2(sum[i][2], sum[i][3]))); \
        } else {                                                                                          \
            NAME##Pair[at / 2u + lane] = pair(vec2(sum[i][0], sum[i][1]));                                \
        }                                                                                                 \
    }

// below is x, the same for all lanes and below limit: each digit costs time.
uint below(uint limit, uint x) {
    uint u = limit > 1u ? count[x & 15u] : 0u;
    u += limit > 16u ? 16u * count[x >> 4 & 15u] : 0u;
    u += limit > 256u ? 256u * count[x >> 8 & 15u] : 0u;
    return u + (limit > 4096u ? 4096u * count[x >> 12 & 15u] : 0u);
}

void main() {
    const uint lane = gl_SubgroupInvocationID, subgroup = below(SUBGROUPS, gl_SubgroupID);
    const uint down = subgroup % TILES, across = subgroup / TILES % ACROSS, chunk = CHUNKS == 1u ? 0u : subgroup / (TILES * ACROSS);
    const bool last = chunk == CHUNKS - 1u;
    const uint row0 = ROWS * (TILES * below(GROUPS_X, gl_WorkGroupID.x) + down);
    const uint column = COLUMNS * (ACROSS * below(GROUPS_Y, gl_WorkGroupID.y) + across);
    const uint slice = below(GROUPS_Z, gl_WorkGroupID.z), step0 = STEPS * (CHUNKS * slice + chunk);
    const uint start = ((SPLIT ? slice * m : 0u) + row0) * n + column; // in c

    Floats rows[ROWS], columns = move(b, TRANS_A ? step0 * WIDTH_B + column : column * k + COLUMNS * step0);
    if (TRANS_A) {
        rows[0] = move(a, step0 * WIDTH_A + row0);
    } else {
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
            rows[i] = move(a, (row0 + i) * k + step0);
        }
    }

    float sum[ROWS][VECTORS];
    EACH(i, j) {
        Floats before = move(c_at, start + i * n), biases = move(bias_at, column), residuals = move(residual_at, start + i * n);
        float handed = 0.0, first = BIAS ? FIRST_OF(biases, j) : 0.0;
        if (RESIDUAL) {
            first += FIRST_OF(residuals, j);
        }
        if (ACCUMULATE) {
            first += FIRST_OF(before, j);
        }
        if (CHUNKS > 1u) {
            handed = TRANS_A ? STORED_OF(before, j) : lanesOf(before, LANES * j);
        }
        sum[i][j] = chunk > 0u ? handed : first;
    }
    [[unroll]] for (uint s = 0u; s < STEPS; ++s) {
        if (s > 0u && s % STRAIGHT == 0u) {
            HOLD(sum)
        }
        float y[VECTORS];
        [[unroll]] for (uint j = 0u; j < VECTORS; ++j) {
            y[j] = lanesOf(columns, s * (TRANS_A ? WIDTH_B : COLUMNS) + LANES * j);
        }
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
            const float x = TRANS_A ? rows[0].at[s * WIDTH_A + i] : rows[i].at[s];
            [[unroll]] for (uint j = 0u; j < VECTORS; ++j) {
                sum[i][j] = fma(x, y[j], sum[i][j]);
            }
        }
    }
    if (!SPLIT) {
        EACH(i, j) {
            Floats factors = move(factor_at, start + i * n);
            const float factor = alpha * (FACTOR ? STORED_OF(factors, j) : 1.0);
            sum[i][j] *= last ? factor : 1.0;
        }
    }
    if (GELU) {
        float d[ROWS][VECTORS];
        EACH(i, j) {
            const float y = gelu(sum[i][j], d[i][j]);
            sum[i][j] = last ? y : sum[i][j];
        }
        if (SLOPE) {
            HOLD(d)
            STORE_TILE(slope, d)
        }
    }
    HOLD(sum)
    STORE_TILE(c, sum)
}
