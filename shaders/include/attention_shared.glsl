// What the attention kernels for GPUs share, whose operands go through shared
// memory; the equations are in attention.glsl.
//
// A workgroup of 8 x 8 invocations owns OWN rows of one head: queries, or keys
// and values. It walks over the sequence's other rows, OTHERS at a time. The
// scores of an own row and another are tiles of ROWS x COLS an invocation, of
// rows y + 8 r and columns x + 8 c; so are the sums over the others, with quads
// x + 8 c of a head as columns. A tile of 5 x 5 makes 10 multiplications for
// every quad it loads from shared memory, and blocks of 40 rows fill those of
// the usual sequences: 197 tokens in 200, 37 in 40.
//
// The head's dimension is a multiple of 4, at most 128.
#define VEC 4
#include "stored.glsl"

layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const uint HD = 64;
layout(constant_id = 1) const uint ROWS = 5;
layout(constant_id = 2) const uint COLS = 5;

const uint OWN = 8 * ROWS;
const uint OTHERS = 8 * COLS;
#include "attention_block.glsl"

const uint WIDE = (QUADS + 7) / 8; // of a row's quads, an invocation's

// Eight invocations load from eight rows at once. So that these come from
// different banks, the quads of a row change places as the row's number says,
// and where a row is no multiple of eight quads it has an odd number of them.
const uint SPREAD = QUADS % 8 == 0 ? 7 : 0;
const uint STRIDE = QUADS % 8 == 0 ? QUADS : QUADS | 1;
#define AT(row, quad) ((row) * STRIDE + ((quad) ^ ((row) & SPREAD)))
const uint TALL = 2 * COLS | 1; // quads of a row of scores

// STAGE loads n rows of an operand, from `first` on, into shared memory; rows
// past the sequence's end are zero. BEGIN is where row `row` of the sequence
// begins.
#define STAGE(block, n, first, operand, BEGIN)                                            \
    for (uint e = gl_LocalInvocationIndex; e < (n) * QUADS; e += 64) {                    \
        const uint line = e / QUADS, quad = e % QUADS, row = (first) + line;              \
        block[AT(line, quad)] = row < length ? FETCH(operand, (BEGIN) + quad) : vec4(0);  \
    }

// PRODUCTS makes a tile of dot products of rows of two operands.
#define PRODUCTS(tile, own, others)                                                       \
    float tile[ROWS][COLS];                                                               \
    for (uint r = 0; r < ROWS; r++) {                                                     \
        for (uint c = 0; c < COLS; c++) {                                                 \
            tile[r][c] = 0;                                                               \
        }                                                                                 \
    }                                                                                     \
    for (uint d = 0; d < QUADS; d++) {                                                    \
        vec4 left[ROWS], right[COLS];                                                     \
        for (uint r = 0; r < ROWS; r++) {                                                 \
            left[r] = own[AT(gl_LocalInvocationID.y + 8 * r, d)];                         \
        }                                                                                 \
        for (uint c = 0; c < COLS; c++) {                                                 \
            right[c] = others[AT(gl_LocalInvocationID.x + 8 * c, d)];                     \
        }                                                                                 \
        for (uint r = 0; r < ROWS; r++) {                                                 \
            for (uint c = 0; c < COLS; c++) {                                             \
                tile[r][c] += dot(left[r], right[c]);                                     \
            }                                                                             \
        }                                                                                 \
    }

// SHARE writes a tile of scores where WEIGHTED reads them.
#define SHARE(scores, tile)                                                               \
    for (uint r = 0; r < ROWS; r++) {                                                     \
        for (uint c = 0; c < COLS; c++) {                                                 \
            const uint column = gl_LocalInvocationID.x + 8 * c;                           \
            scores[(gl_LocalInvocationID.y + 8 * r) * TALL + column / 4][column % 4] = tile[r][c]; \
        }                                                                                 \
    }

#define CLEAR(sums)                                                                       \
    for (uint r = 0; r < ROWS; r++) {                                                     \
        for (uint c = 0; c < WIDE; c++) {                                                 \
            sums[r][c] = vec4(0);                                                         \
        }                                                                                 \
    }

// WEIGHTED adds to a tile's sums the others' rows, each times its score. Quads
// past the head's last repeat it; they are not stored.
#define WEIGHTED(sums, scores, others)                                                    \
    for (uint j = 0; j < 2 * COLS; j++) {                                                 \
        vec4 weights[ROWS];                                                               \
        for (uint r = 0; r < ROWS; r++) {                                                 \
            weights[r] = scores[(gl_LocalInvocationID.y + 8 * r) * TALL + j];             \
        }                                                                                 \
        for (uint i = 0; i < 4; i++) {                                                    \
            for (uint c = 0; c < WIDE; c++) {                                             \
                const vec4 v = others[AT(4 * j + i, min(gl_LocalInvocationID.x + 8 * c, QUADS - 1))]; \
                for (uint r = 0; r < ROWS; r++) {                                         \
                    sums[r][c] += weights[r][i] * v;                                      \
                }                                                                         \
            }                                                                             \
        }                                                                                 \
    }

// PART is where one of the eight parts of a number for own row y + 8 r lies, of
// which each invocation of that row makes one; sumOf, maxOf combine two quads
// of them.
#define PART(parts, from, r) parts[(from) + 2 * (gl_LocalInvocationID.y + 8 * (r)) + gl_LocalInvocationID.x / 4][gl_LocalInvocationID.x % 4]
#define PARTS(parts, from, r, combined) combined(parts[(from) + 2 * (gl_LocalInvocationID.y + 8 * (r))], parts[(from) + 2 * (gl_LocalInvocationID.y + 8 * (r)) + 1])
float sumOf(vec4 a, vec4 b) { a += b; return (a.x + a.y) + (a.z + a.w); }
float maxOf(vec4 a, vec4 b) { a = max(a, b); return max(max(a.x, a.y), max(a.z, a.w)); }

// EACH_OUTPUT does something with every quad of a tile's sums that is of the
// sequence and of the head.
#define EACH_OUTPUT(block, token, quad, r, c, ACTION)                                     \
    for (uint r = 0; r < ROWS; r++) {                                                     \
        const uint line = block.row + gl_LocalInvocationID.y + 8 * r;                     \
        const uint token = block.base + line;                                             \
        for (uint c = 0; c < WIDE; c++) {                                                 \
            const uint quad = gl_LocalInvocationID.x + 8 * c;                             \
            if (line < length && quad < QUADS) {                                          \
                ACTION                                                                    \
            }                                                                             \
        }                                                                                 \
    }
