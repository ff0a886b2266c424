// Attention, forward, on matrix units: o and lse from qkv; see
// attention_coop.glsl and attention.glsl. Softmax runs online over blocks of keys
// (Milakov and Gimelshein, arXiv 1805.02867): a new maximum rescales what is
// summed so far. Probabilities are rounded to 16 bits for their product with v,
// and summed as they were.
#include "attention_coop.glsl"

INPUT(0, qkv);
OUTPUT(1, o);
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

shared float mask[OTHERS]; // added to scores: LOWEST past the sequence's end

#define SCORE(r, c) ((r) * COLS + (c))
#define FETCH_BLOCK(first)                                                                        \
    FETCH_OTHERS(keys, first, qkv, qkvAt(block.base + row, 1, block.head))                        \
    FETCH_OTHERS(values, first, qkv, qkvAt(block.base + row, 2, block.head))
#define SAVE_OUTPUT(at, pair)                                                                     \
    if (o_TYPE == OPERAND_TYPE) {                                                                 \
        o16[at] = pair;                                                                           \
    } else {                                                                                      \
        STORE(o, at, widen(OPERAND_TYPE, pair))                                                   \
    }

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    LOAD_OWN(queries, qkv, qkvAt(block.base + row, 0, block.head))
    SUMS sum[ROWS * PARTS];
    SUMS top[ROWS];   // maximum of a row's scores so far, in powers of two, in all columns
    SUMS total[ROWS]; // sum of exp2(score - top) over columns MATRIX_N apart
    CLEAR(sum)
    CLEAR_ROWS(total)
    EACH(r, i, top[r][i] = LOWEST;)
    uvec4 keys[LOADS], values[LOADS]; // loaded while the block before is at work
    FETCH_BLOCK(0)
    for (uint first = 0; first < length; first += OTHERS) {
        barrier(); // the block before has been read
        STAGE_OTHERS(0, keys)
        STAGE_OTHERS(1, values)
        for (uint e = gl_LocalInvocationIndex; e < OTHERS; e += INVOCATIONS) {
            mask[e] = first + e < length ? 0 : LOWEST;
        }
        barrier();
        if (first + OTHERS < length) {
            FETCH_BLOCK(first + OTHERS)
        }
        SUMS p[ROWS * COLS], high[ROWS];
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            if (inside(first, c * MATRIX_N)) {
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    coopMatLoad(p[SCORE(r, c)], mask, c * MATRIX_N, 0, BY_ROWS);
                }
                PRODUCTS(p, SCORE, queries, 0, c)
                EACH(r, i, high[r][i] = c == 0 ? p[SCORE(r, c)][i] : max(high[r][i], p[SCORE(r, c)][i]);)
            }
        }
        COMBINE(high, max)
        SPREAD(high)
        EACH(r, i,
            const float now = max(top[r][i], high[r][i] * (scale * LOG2_E));
            high[r][i] = exp2(top[r][i] - now);
            top[r][i] = now;
            total[r][i] *= high[r][i];
            [[unroll]] for (uint t = 0; t < PARTS; t++) {
                sum[r * PARTS + t][i] *= high[r][i];
            })
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            if (inside(first, c * MATRIX_N)) {
                EACH(r, i,
                    p[SCORE(r, c)][i] = exp2(p[SCORE(r, c)][i] * (scale * LOG2_E) - top[r][i]);
                    total[r][i] += p[SCORE(r, c)][i];)
                HAND_ON(sum, p, SCORE, 0, 1, c)
            }
        }
        ROUND_SCORES
        WEIGHTED(sum, 0, 1, first)
    }
    COMBINE(total, plus)
    SPREAD(total)
    EACH(r, i,
        [[unroll]] for (uint t = 0; t < PARTS; t++) {
            sum[r * PARTS + t][i] /= total[r][i];
        }
        top[r][i] = (top[r][i] + log2(total[r][i])) / LOG2_E;)
    COMBINE(top, max)
    for (uint line = gl_SubgroupInvocationID; line < LINES; line += SUBGROUP) {
        const uint row = block.row + ownNumbers() + line;
        if (row < length) {
            lse[(block.base + row) * heads + block.head] = numbers[ownNumbers() + line];
        }
    }
    STORE_SUMS(sum, 1, SAVE_OUTPUT, outAt(block.base + row, block.head))
}
