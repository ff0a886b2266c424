// The optimizer's tables; op.Optimizer makes them.
//
// A bank holds many tensors; it is divided into blocks of at most 4096 elements,
// each of one tensor. Tensors begin at multiples of 128 elements, and what lies
// between them is zero and stays so; thus blocks are whole quads.
const uint DECAY = 1;      // weight decay applies
const uint LAST_LAYER = 2; // untouched while freeze_last is set
const uint FROZEN = 4;     // never trained: only the teacher's average moves
const uint BACKBONE = 8;   // learns at backbone_rate times the learning rate

// Block is a row of a bank's block table.
struct Block {
    uint first; // quad in the bank
    uint quads;
    uint segment; // the tensor, in the order of all banks
    uint flags;
};

// Segment is a tensor's row of the segment table.
struct Segment {
    uint first; // block, in the order of all banks
    uint blocks;
};
