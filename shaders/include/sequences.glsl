// Packed tokens: `globals` sequences of global_tokens rows, then sequences of
// local_tokens rows. The three must be push constants.

// sequenceOf is the sequence that a row belongs to.
uint sequenceOf(uint row) {
    uint split = globals * global_tokens;
    return row < split ? row / global_tokens : globals + (row - split) / local_tokens;
}
