// Residual with drop path: y = x + s branch, s = scale[first_scale + sequence].
// x, branch, y (rows, width). The rows, the first of which is row first_row of
// the whole, are those of `globals` sequences of global_tokens rows and then of
// sequences of local_tokens rows. Where has_scale = 0, s = 1.
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
};
#include "rows.glsl"
ROWS_IN(0, x)
ROWS_IN(1, branch)
layout(std430, set = 0, binding = 2) readonly buffer Scale { float scale[]; };
ROWS_OUT(3, y)
#include "sequences.glsl"

void main() {
    uint row = rowIndex();
    if (row >= rows) {
        return;
    }
    float s = has_scale != 0 ? scale[first_scale + sequenceOf(first_row + row)] : 1;
    uint quads = quadCount();
    for (uint q = lane(); q < quads; q += LANES) {
        yStore(row, q, x(row, q) + s * branch(row, q));
    }
}
