// Rows scaled to a norm: y = g x / max(|x|, eps).
// With g = 1 this is the L2 norm of features, with eps = 0 and a gain a row it
// is weight norm (Salimans and Kingma, arXiv 1602.07868, equation 2).
// x, y (rows, width); g (rows), read where has_gain != 0.
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; float eps; uint has_gain; };
#include "rows.glsl"
ROWS_IN(0, x)
layout(std430, set = 0, binding = 1) readonly buffer Gain { float g[]; };
ROWS_OUT(2, y)

void main() {
    uint row = rowIndex();
    uint quads = row < rows ? quadCount() : 0;
    vec4 square = vec4(0);
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 v = x(row, q);
        square += v * v;
    }
    float norm = max(sqrt(laneSum(sumOf(square))), eps);
    float scale = 1 / norm;
    if (row < rows && has_gain != 0) {
        scale *= g[row];
    }
    for (uint q = lane(); q < quads; q += LANES) {
        yStore(row, q, x(row, q) * scale);
    }
}
