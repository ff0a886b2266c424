// Gradient of batch norm with respect to its input:
//   dx = gamma rstd (dz - (dbeta + xhat dgamma) / n), dz = dy act'(z),
// n the rows of the batch, dgamma and dbeta the sums over them of dz xhat and dz.
// An invocation does one quad of columns of 16 rows.
// x, dy, dx (rows, width); mean, rstd, gamma, beta (width); sums (2, width).
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint batch_rows; uint accumulate; };
#include "rows.glsl"
#include "batchnorm.glsl"
ROWS_IN(0, x)
ROWS_IN(1, dy)
ROWS_IN(2, mean)
ROWS_IN(3, rstd)
ROWS_IN(4, gamma)
ROWS_IN(5, beta)
ROWS_IN(6, sums)
ROWS_INOUT(7, dx)

const uint STRIP = 16;

void main() {
    uint i = globalIndex();
    uint q = i % quadCount(), first = i / quadCount() * STRIP, end = min(first + STRIP, rows);
    if (first >= rows) {
        return;
    }
    vec4 m = mean(0, q), r = rstd(0, q), scale = gamma(0, q), shift = beta(0, q);
    vec4 a = sums(1, q) / float(batch_rows), b = sums(0, q) / float(batch_rows);
    for (uint row = first; row < end; row++) {
        vec4 xhat = xhatOf(x(row, q), m, r);
        vec4 d = dy(row, q) * slopeOf(xhat * scale + shift);
        d = scale * r * (d - (a + xhat * b));
        if (accumulate != 0) {
            d += dx(row, q);
        }
        dxStore(row, q, d);
    }
}
