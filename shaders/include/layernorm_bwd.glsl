// Gradient of layer norm with respect to its input:
//   dx = rstd (dy gamma - a - xhat b), xhat = (x - mean) rstd,
// a and b the means over the row of dy gamma and of dy gamma xhat.
// x, dy, dx (rows, width); gamma (width); mean, rstd (rows).
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint accumulate; };
#include "rows.glsl"
ROWS_IN(0, x)
ROWS_IN(1, gamma)
layout(std430, set = 0, binding = 2) readonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 3) readonly buffer Rstd { float rstd[]; };
ROWS_IN(4, dy)
ROWS_INOUT(5, dx)

void main() {
    uint row = rowIndex();
    uint quads = 0;
    float m = 0, r = 0;
    if (row < rows) {
        quads = quadCount();
        m = mean[row];
        r = rstd[row];
    }
    vec4 a = vec4(0), b = vec4(0);
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 d = dy(row, q) * gamma(0, q);
        a += d;
        b += d * (x(row, q) - m);
    }
    vec2 means = laneSum(vec2(sumOf(a), sumOf(b) * r)) / float(width);

    for (uint q = lane(); q < quads; q += LANES) {
        vec4 d = r * (dy(row, q) * gamma(0, q) - means.x - (x(row, q) - m) * (r * means.y));
        if (accumulate != 0) {
            d += dx(row, q);
        }
        dxStore(row, q, d);
    }
}
