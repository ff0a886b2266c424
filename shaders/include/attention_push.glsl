// The push constants of all attention kernels, and their numbers.
layout(push_constant) uniform Push {
    uint start;       // first token of the run
    uint sequences;
    uint length;      // tokens of a sequence
    uint heads;
    float scale;      // hd^-1/2
    uint accumulate;  // backward only: add to the gradient instead of writing it
};

const float LOG2_E = 1.4426950408889634;
const float LOWEST = -3.0e38;
