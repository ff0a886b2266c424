// Stochastic depth (Huang et al., arXiv 1603.09382) of a residual's branch: rows
// (rows, width), the first of which is row first_row of the whole, which are
// those of `globals` sequences of global_tokens rows and then of sequences of
// local_tokens rows. A row's factor s is scale[first_scale + its sequence], or 1
// where has_scale = 0. accumulate is the backward's: it adds to what there is.
#include "common.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint width;
    uint first_row;
    uint has_scale;
    uint first_scale;
    uint globals;
    uint global_tokens;
    uint local_tokens;
    uint accumulate;
};
#include "rows.glsl"
layout(std430, set = 0, binding = 0) readonly buffer Scale { float scale[]; };

float factorOf(uint row) {
    if (has_scale == 0) {
        return 1;
    }
    uint at = first_row + row, split = globals * global_tokens;
    uint sequence = at < split ? at / global_tokens : globals + (at - split) / local_tokens;
    return scale[first_scale + sequence];
}
