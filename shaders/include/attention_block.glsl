// The share of a workgroup of attention: OWN rows, to be defined, of one head of
// dimension HD, whose rows are read by fours.
#include "common.glsl"
#include "attention_push.glsl"

const uint QUADS = HD / 4;

// Block is what a workgroup owns: rows from `row` on of a head of the sequence
// that begins at token `base`.
struct Block {
    uint base;
    uint row;
    uint head;
};

bool findBlock(out Block block) {
    const uint blocks = (length + OWN - 1) / OWN;
    const uint i = groupIndex();
    const uint column = i / blocks;
    block.row = (i - column * blocks) * OWN;
    block.head = column % heads;
    block.base = start + column / heads * length;
    return i < sequences * heads * blocks;
}

// Where the row of a token and head begins in qkv (which = 0, 1, 2 for q, k,
// v) and in o.
uint qkvAt(uint token, uint which, uint head) { return ((token * 3 + which) * heads + head) * QUADS; }
uint outAt(uint token, uint head) { return (token * heads + head) * QUADS; }
