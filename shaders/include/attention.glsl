// What the attention kernels share.
//
// Scaled dot-product attention (Vaswani et al., arXiv 1706.03762, eq. 1) over
// packed sequences, block-diagonal: a token sees its own sequence only.
//
//   s_ij = hd^-1/2 q_i . k_j     lse_i = log sum_j exp s_ij
//   p_ij = exp(s_ij - lse_i)     o_i = sum_j p_ij v_j
//
// qkv (T, 3, H, hd), o (T, H, hd), lse (T, H), row-major; sums are f32; T counts
// the tokens of all sequences. A dispatch does one run: `sequences` sequences
// of `length` tokens each, from token `start` on.
//
// An invocation holds ROWS rows of one head in registers and walks over the
// sequence, so that a loaded row serves ROWS times and nothing is shared
// between invocations. attention_head.glsl says what to define before including
// this file.
#include "common.glsl"
#include "attention_head.glsl"
#include "attention_push.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 1) const uint ROWS = 4;

// Part is the share of an invocation: ROWS rows from `row` on of a head of
// the sequence that begins at token `base`.
struct Part {
    uint base;
    uint row;
    uint head;
};

bool findPart(out Part part) {
    uint blocks = (length + ROWS - 1) / ROWS;
    uint i = globalIndex();
    if (i >= sequences * heads * blocks) {
        return false;
    }
    uint column = i / blocks;
    part.row = (i - column * blocks) * ROWS;
    part.head = column % heads;
    part.base = start + column / heads * length;
    return true;
}

// tokenOf gives row r of the part; rows past the end repeat the last one, so
// that they compute something harmless which is not stored.
uint tokenOf(Part part, uint r) {
    return part.base + min(part.row + r, length - 1);
}

// Where the row of a token and head begins in qkv (which = 0, 1, 2 for q, k,
// v) and in o.
uint qkvAt(uint token, uint which, uint head) {
    return ((token * 3 + which) * heads + head) * (HD / WIDTH);
}

uint outAt(uint token, uint head) {
    return (token * heads + head) * (HD / WIDTH);
}
