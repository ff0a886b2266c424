// What the attention kernels on matrix units share (VK_KHR_cooperative_matrix):
// operands of 16 bits, sums of 32; the equations are in attention.glsl.
//
// A workgroup of SUBGROUPS subgroups owns rows of one head, each subgroup ROWS
// matrices of them, which it keeps as operands in registers; they walk together
// over the sequence's other rows, OTHERS at a time, in shared memory. Which
// invocation holds which element of a matrix is the driver's affair. So what is
// computed of the scores is computed element by element, with numbers of the rows
// or columns spread over matrices: loaded with a stride of zero, all columns, or
// rows, are the same vector.
//
// The head's dimension is a multiple of MATRIX_N, MATRIX_K and 8, at most 128.
// Define OPERAND, OPERAND_TYPE and roundOperand, see operand_fp16.glsl. With CONVERTS
// sums become operands where they are, if these are as wide (MATRIX_N = MATRIX_K;
// VK_NV_cooperative_matrix2); else with DIRECT, where the device has matrices of
// OPERAND for sums, they go through shared memory as such, else through float32.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_control_flow_attributes : require
#define VEC 4
#include "stored.glsl"

layout(constant_id = 0) const uint HD = 64;
layout(constant_id = 1) const uint ROWS = 1;
layout(constant_id = 2) const uint COLS = 4; // matrices of other rows at a time
layout(constant_id = 3) const uint INVOCATIONS = 128;
layout(constant_id = 4) const uint SUBGROUP = 32; // invocations of a subgroup
layout(constant_id = 5) const uint MATRIX_M = 16;
layout(constant_id = 6) const uint MATRIX_N = 16;
layout(constant_id = 7) const uint MATRIX_K = 16;
layout(constant_id = 8) const uint KINDS = 1; // of scores that are rounded
layout(local_size_x_id = 3) in;

#define LEFT coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define RIGHT coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#ifdef CONVERTS
#extension GL_NV_cooperative_matrix2 : require
#define ROUNDED LEFT
#elif defined(DIRECT)
#define ROUNDED coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#endif
const int BY_ROWS = gl_CooperativeMatrixLayoutRowMajor, BY_COLUMNS = gl_CooperativeMatrixLayoutColumnMajor;

const uint SUBGROUPS = INVOCATIONS / SUBGROUP;
const uint LINES = ROWS * MATRIX_M; // own rows of a subgroup
const uint OWN = SUBGROUPS * LINES;
const uint OTHERS = COLS * MATRIX_N;
#include "attention_block.glsl"

const uint STEPS = HD / MATRIX_K; // of a product's sum over a head
const uint PARTS = HD / MATRIX_N; // of the sums of a head

// Others that are left out where a sequence ends come in whole matrices of both
// products.
const uint LEAST = MATRIX_N > MATRIX_K ? MATRIX_N : MATRIX_K;
bool inside(uint first, uint other) { return first + other / LEAST * LEAST < length; }

// Matrices in shared memory have rows of eight elements to a uvec4, or of four
// where these are sums, padded by one so that they begin in different banks.
const uint WIDE = HD / 8 + 1;
shared uvec4 others[2 * OTHERS * WIDE];

// A subgroup's own part of shared memory is where its matrices change their use:
// own rows become operands, sums are rounded and then become operands or results.
const uint SCORES = KINDS * OTHERS; // of an own row that are rounded together
const uint WIDE_SCORES = SCORES / 8 + 1;
#ifdef CONVERTS
const uint SCRATCH = LINES * (WIDE > MATRIX_N / 4 + 1 ? WIDE : MATRIX_N / 4 + 1);
#elif defined(ROUNDED)
const uint SCRATCH = LINES * (WIDE > WIDE_SCORES ? WIDE : WIDE_SCORES);
#else
const uint SCRATCH = LINES * (HD > SCORES ? HD / 4 + 1 : SCORES / 4 + 1);
#endif
shared uvec4 scratch[SUBGROUPS * SCRATCH];
shared float numbers[SUBGROUPS * LINES]; // of own rows

uint ownScratch() { return gl_SubgroupID * SCRATCH; }
uint ownNumbers() { return gl_SubgroupID * LINES; }

// LOAD loads eight elements as operands.
#define LOAD(operand, at)                                                                         \
    (operand##_TYPE == OPERAND_TYPE ? floatBitsToUint(operand[(at) / 2])                          \
                                    : uvec4(roundOperand(FETCH(operand, at)), roundOperand(FETCH(operand, (at) + 1))))

// FETCH_OTHERS loads OTHERS rows of an operand from `first` on, which STAGE_OTHERS
// then puts into shared memory; rows past the sequence's end are zero. BEGIN is
// where row `row` of the sequence begins.
const uint LOADS = (OTHERS * HD / 8 + INVOCATIONS - 1) / INVOCATIONS;
#define FETCH_OTHERS(next, first, operand, BEGIN)                                                 \
    [[unroll]] for (uint i = 0; i < LOADS; i++) {                                                 \
        const uint e = i * INVOCATIONS + gl_LocalInvocationIndex;                                 \
        const uint quad = e % (HD / 8), row = (first) + e / (HD / 8);                             \
        next[i] = uvec4(0);                                                                       \
        if (e < OTHERS * HD / 8 && row < length) {                                                \
            next[i] = LOAD(operand, (BEGIN) + 2 * quad);                                          \
        }                                                                                         \
    }
#define STAGE_OTHERS(which, next)                                                                 \
    [[unroll]] for (uint i = 0; i < LOADS; i++) {                                                 \
        const uint e = i * INVOCATIONS + gl_LocalInvocationIndex;                                 \
        if (e < OTHERS * HD / 8) {                                                                \
            others[((which) * OTHERS + e / (HD / 8)) * WIDE + e % (HD / 8)] = next[i];            \
        }                                                                                         \
    }

// LOAD_OWN loads a subgroup's own rows of an operand as matrices.
#define LOAD_OWN(own, operand, BEGIN)                                                             \
    LEFT own[ROWS * STEPS];                                                                       \
    for (uint e = gl_SubgroupInvocationID; e < LINES * HD / 8; e += SUBGROUP) {                   \
        const uint line = e / (HD / 8), quad = e % (HD / 8), row = block.row + ownNumbers() + line; \
        scratch[ownScratch() + line * WIDE + quad] = row < length ? LOAD(operand, (BEGIN) + 2 * quad) : uvec4(0); \
    }                                                                                             \
    subgroupBarrier();                                                                            \
    [[unroll]] for (uint r = 0; r < ROWS; r++) {                                                  \
        [[unroll]] for (uint d = 0; d < STEPS; d++) {                                             \
            coopMatLoad(own[r * STEPS + d], scratch, ownScratch() + r * MATRIX_M * WIDE + d * MATRIX_K / 8, WIDE, BY_ROWS); \
        }                                                                                         \
    }                                                                                             \
    subgroupBarrier();

#define CLEAR_ALL(matrices, n)                                                                    \
    [[unroll]] for (uint i = 0; i < n; i++) {                                                     \
        matrices[i] = SUMS(0);                                                                    \
    }
#define CLEAR(sums) CLEAR_ALL(sums, ROWS * PARTS)
#define CLEAR_ROWS(matrices) CLEAR_ALL(matrices, ROWS)

// PRODUCTS adds to the scores AT(r, c), of matrix r of own rows, their products with
// matrix c of others.
#define PRODUCTS(scores, AT, own, which, c)                                                       \
    [[unroll]] for (uint d = 0; d < STEPS; d++) {                                                 \
        RIGHT right;                                                                              \
        coopMatLoad(right, others, ((which) * OTHERS + (c) * MATRIX_N) * WIDE + d * MATRIX_K / 8, WIDE, BY_COLUMNS); \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                              \
            scores[AT(r, c)] = coopMatMulAdd(own[r * STEPS + d], right, scores[AT(r, c)]);        \
        }                                                                                         \
    }

#define ROW(r, c) (r)

// PLACE puts sums where they are rounded: matrix r of own rows, from `column` of
// so many on; ROUND then rounds all of them and leaves them as operands in rows of
// columns / 8 + 1 quads.
#ifdef ROUNDED
#define PLACE(sums, r, column, columns)                                                           \
    coopMatStore(ROUNDED(sums), scratch, ownScratch() + (r) * MATRIX_M * ((columns) / 8 + 1) + (column) / 8, \
                 (columns) / 8 + 1, BY_ROWS);
#define ROUND(columns) subgroupBarrier();
#else
#define PLACE(sums, r, column, columns)                                                           \
    coopMatStore(sums, scratch, ownScratch() + (r) * MATRIX_M * ((columns) / 4 + 1) + (column) / 4, \
                 (columns) / 4 + 1, BY_ROWS);
#define ROUND(columns)                                                                            \
    {                                                                                             \
        subgroupBarrier();                                                                        \
        uvec2 rounded[LINES * (columns) / 4 / SUBGROUP];                                          \
        [[unroll]] for (uint i = 0; i < LINES * (columns) / 4 / SUBGROUP; i++) {                  \
            const uint e = i * SUBGROUP + gl_SubgroupInvocationID, line = e / ((columns) / 4), quad = e % ((columns) / 4); \
            rounded[i] = roundOperand(uintBitsToFloat(scratch[ownScratch() + line * ((columns) / 4 + 1) + quad])); \
        }                                                                                         \
        subgroupBarrier();                                                                        \
        [[unroll]] for (uint i = 0; i < LINES * (columns) / 4 / SUBGROUP; i++) {                  \
            const uint e = i * SUBGROUP + gl_SubgroupInvocationID, line = e / ((columns) / 4), quad = e % ((columns) / 4); \
            const uint at = ownScratch() + line * ((columns) / 8 + 1) + quad / 2;                 \
            if (quad % 2 == 0) {                                                                  \
                scratch[at].xy = rounded[i];                                                      \
            } else {                                                                              \
                scratch[at].zw = rounded[i];                                                      \
            }                                                                                     \
        }                                                                                         \
        subgroupBarrier();                                                                        \
    }
#endif

// WEIGH adds to a head's sums MATRIX_K of the others' rows, times operands.
#define WEIGH(sums, left, which, row)                                                             \
    [[unroll]] for (uint t = 0; t < PARTS; t++) {                                                 \
        RIGHT right;                                                                              \
        coopMatLoad(right, others, ((which) * OTHERS + (row)) * WIDE + t * MATRIX_N / 8, WIDE, BY_ROWS); \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                              \
            sums[r * PARTS + t] = coopMatMulAdd(left[r], right, sums[r * PARTS + t]);             \
        }                                                                                         \
    }

// To a head's sums are added the others' rows times scores of one kind: HAND_ON does
// so with those of matrix c of others, AT(r, c), or leaves it to WEIGHTED, which does
// it with all that ROUND_SCORES has rounded.
#ifdef CONVERTS
#define HAND_ON(sums, scores, AT, kind, which, c)                                                 \
    {                                                                                             \
        LEFT left[ROWS];                                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                              \
            left[r] = LEFT(scores[AT(r, c)]);                                                     \
        }                                                                                         \
        WEIGH(sums, left, which, (c) * MATRIX_N)                                                  \
    }
#define ROUND_SCORES
#define WEIGHTED(sums, kind, which, first)
#else
#define HAND_ON(sums, scores, AT, kind, which, c)                                                 \
    [[unroll]] for (uint r = 0; r < ROWS; r++) {                                                  \
        PLACE(scores[AT(r, c)], r, (kind) * OTHERS + (c) * MATRIX_N, SCORES)                      \
    }
#define ROUND_SCORES ROUND(SCORES)
#define WEIGHTED(sums, kind, which, first)                                                        \
    [[unroll]] for (uint k = 0; k < OTHERS; k += MATRIX_K) {                                      \
        if (inside(first, k)) {                                                                   \
            LEFT left[ROWS];                                                                      \
            [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
                coopMatLoad(left[r], scratch, ownScratch() + r * MATRIX_M * WIDE_SCORES + ((kind) * OTHERS + k) / 8, WIDE_SCORES, BY_ROWS); \
            }                                                                                     \
            WEIGH(sums, left, which, k)                                                           \
        }                                                                                         \
    }                                                                                             \
    subgroupBarrier(); // they have been read
#endif

// SPREAD makes of every own row's number in shared memory a row of matrices.
#define SPREAD(matrices)                                                                          \
    [[unroll]] for (uint r = 0; r < ROWS; r++) {                                                  \
        coopMatLoad(matrices[r], numbers, ownNumbers() + r * MATRIX_M, 0, BY_COLUMNS);            \
    }

// COMBINE makes of every row of matrices one number, in shared memory.
#define COMBINE(matrices, combine)                                                                \
    [[unroll]] for (uint r = 0; r < ROWS; r++) {                                                  \
        coopMatStore(matrices[r], scratch, ownScratch() + r * MATRIX_M * (MATRIX_N / 4 + 1), MATRIX_N / 4 + 1, BY_ROWS); \
    }                                                                                             \
    subgroupBarrier();                                                                            \
    for (uint line = gl_SubgroupInvocationID; line < LINES; line += SUBGROUP) {                   \
        vec4 v = uintBitsToFloat(scratch[ownScratch() + line * (MATRIX_N / 4 + 1)]);              \
        [[unroll]] for (uint i = 1; i < MATRIX_N / 4; i++) {                                      \
            const vec4 w = uintBitsToFloat(scratch[ownScratch() + line * (MATRIX_N / 4 + 1) + i]); \
            v = vec4(combine(v.x, w.x), combine(v.y, w.y), combine(v.z, w.z), combine(v.w, w.w)); \
        }                                                                                         \
        numbers[ownNumbers() + line] = combine(combine(v.x, v.y), combine(v.z, v.w));             \
    }                                                                                             \
    subgroupBarrier();
float plus(float a, float b) { return a + b; }

// EACH does something with every element i of matrices of own rows.
#define EACH(r, i, ACTION)                                                                        \
    [[unroll]] for (uint r = 0; r < ROWS; r++) {                                                  \
        [[unroll]] for (uint i = 0; i < SUMS(0).length(); i++) {                                  \
            ACTION                                                                                \
        }                                                                                         \
    }

// STORE_SUMS rounds a head's sums times a factor and SAVEs them where row `row` of
// the sequence begins.
#define STORE_SUMS(sums, factor, SAVE, BEGIN)                                                          \
    [[unroll]] for (uint r = 0; r < ROWS; r++) {                                                  \
        [[unroll]] for (uint t = 0; t < PARTS; t++) {                                             \
            PLACE(sums[r * PARTS + t] * float(factor), r, t * MATRIX_N, HD)                             \
        }                                                                                         \
    }                                                                                             \
    ROUND(HD)                                                                               \
    for (uint e = gl_SubgroupInvocationID; e < LINES * QUADS; e += SUBGROUP) {                    \
        const uint line = e / QUADS, quad = e % QUADS, row = block.row + ownNumbers() + line;     \
        const uvec4 pair = scratch[ownScratch() + line * WIDE + quad / 2];                        \
        if (row < length) {                                                                       \
            SAVE((BEGIN) + quad, (quad % 2 == 0 ? pair.xy : pair.zw))                             \
        }                                                                                         \
    }                                                                                             \
    subgroupBarrier();
