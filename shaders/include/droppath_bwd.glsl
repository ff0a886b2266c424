// Gradient of the residual's branch: dbranch = s dy, s = scale[first_scale +
// sequence], or s = 1 where has_scale = 0. Rows as in droppath_fwd.
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
ROWS_IN(0, dy)
layout(std430, set = 0, binding = 1) readonly buffer Scale { float scale[]; };
ROWS_INOUT(2, dbranch)
#include "sequences.glsl"

void main() {
    uint row = rowIndex();
    if (row >= rows) {
        return;
    }
    float s = has_scale != 0 ? scale[first_scale + sequenceOf(first_row + row)] : 1;
    uint quads = quadCount();
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 d = s * dy(row, q);
        if (accumulate != 0) {
            d += dbranch(row, q);
        }
        dbranchStore(row, q, d);
    }
}
