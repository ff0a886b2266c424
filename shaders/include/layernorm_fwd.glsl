// Layer norm (Ba et al., arXiv 1607.06450):
//   y = (x - mean) rstd gamma + beta, rstd = 1 / sqrt(var + eps), var biased.
// x, y (rows, width); gamma, beta (width); mean, rstd (rows).
// The variance is summed about the mean, in a second pass.
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; float eps; };
#include "rows.glsl"
ROWS_IN(0, x)
ROWS_IN(1, gamma)
ROWS_IN(2, beta)
ROWS_OUT(3, y)
layout(std430, set = 0, binding = 4) writeonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Rstd { float rstd[]; };

void main() {
    uint row = rowIndex();
    uint quads = row < rows ? quadCount() : 0;

    vec4 sum = vec4(0);
    for (uint q = lane(); q < quads; q += LANES) {
        sum += x(row, q);
    }
    float m = laneSum(sumOf(sum)) / float(width);

    vec4 square = vec4(0);
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 d = (x(row, q) - m) * inRow(q);
        square += d * d;
    }
    float r = 1 / sqrt(laneSum(sumOf(square)) / float(width) + eps);

    for (uint q = lane(); q < quads; q += LANES) {
        yStore(row, q, (x(row, q) - m) * r * gamma(0, q) + beta(0, q));
    }
    if (row < rows && lane() == 0) {
        mean[row] = m;
        rstd[row] = r;
    }
}
