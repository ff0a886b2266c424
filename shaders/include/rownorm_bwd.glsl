// Gradients of y = g x / max(|x|, eps):
//   dg = dy·x / n, dx = g/n (dy - x (dy·x) / n²), n = |x|,
// and dx = g/eps dy where n <= eps.
// x, dy, dx (rows, width); g, dg (rows), used where has_gain, has_dgain != 0.
#include "common.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint width;
    float eps;
    uint has_gain;
    uint has_dgain;
    uint accumulate_x;
    uint accumulate_gain;
};
#include "rows.glsl"
ROWS_IN(0, x)
layout(std430, set = 0, binding = 1) readonly buffer Gain { float g[]; };
ROWS_IN(2, dy)
ROWS_INOUT(3, dx)
layout(std430, set = 0, binding = 4) buffer DGain { float dg[]; };

void main() {
    uint row = rowIndex();
    uint quads = row < rows ? quadCount() : 0;
    vec4 square = vec4(0), along = vec4(0);
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 v = x(row, q);
        square += v * v;
        along += v * dy(row, q);
    }
    vec2 sums = laneSum(vec2(sumOf(square), sumOf(along)));
    float n = sqrt(sums.x);
    float inverse = 1 / max(n, eps);
    float back = n > eps ? sums.y * inverse * inverse : 0;
    float scale = inverse;
    if (row < rows && has_gain != 0) {
        scale *= g[row];
    }
    if (row < rows && lane() == 0 && has_dgain != 0) {
        float d = sums.y * inverse;
        dg[row] = accumulate_gain != 0 ? dg[row] + d : d;
    }
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 d = scale * (dy(row, q) - x(row, q) * back);
        if (accumulate_x != 0) {
            d += dx(row, q);
        }
        dxStore(row, q, d);
    }
}
