// First stage of batch norm's backward: by channel the sums of
//   dz xhat and dz, dz = dy act'(z),
// over each chunk of 64 rows. With RESIDUAL act is ReLU, whose slope y tells,
// and dz is stored: it is the residual's gradient. Without, z is formed anew.
// x, dy, y, dz (rows, width); mean, rstd, gamma, beta (width);
// sums (chunks, 2, width).
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint first_chunk; };
#include "rows.glsl"
#include "batchnorm.glsl"
ROWS_IN(0, x)
ROWS_IN(1, dy)
ROWS_IN(2, y)
ROWS_IN(3, mean)
ROWS_IN(4, rstd)
ROWS_IN(5, gamma)
ROWS_IN(6, beta)
ROWS_OUT(7, sums)
ROWS_OUT(8, dz)

const uint CHUNK = 64;

void main() {
    uint i = globalIndex();
    uint chunk = i / quadCount(), q = i % quadCount();
    uint first = chunk * CHUNK, end = min(first + CHUNK, rows);
    if (first >= rows) {
        return;
    }
    vec4 m = mean(0, q), r = rstd(0, q), scale = gamma(0, q), shift = beta(0, q);
    vec4 dgamma = vec4(0), dbeta = vec4(0);
    for (uint row = first; row < end; row++) {
        vec4 xhat = xhatOf(x(row, q), m, r);
        vec4 d = dy(row, q) * slopeOf(RESIDUAL ? y(row, q) : xhat * scale + shift);
        if (RESIDUAL) {
            dzStore(row, q, d);
        }
        dgamma += d * xhat;
        dbeta += d;
    }
    uint at = 2 * (first_chunk + chunk);
    sumsStore(at, q, dgamma);
    sumsStore(at + 1, q, dbeta);
}
