// Batch norm (Ioffe and Szegedy, arXiv 1502.03167) with what follows it:
//   y = act(xhat gamma + beta + residual), xhat = (x - mean) rstd.
// An invocation does one quad of columns of 16 rows.
// x, residual, y (rows, width); mean, spread, gamma, beta (width); spread is rstd,
// or with RUNNING the variance, of which rstd = 1 / sqrt(var + eps).
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; float eps; };
#include "rows.glsl"
#include "batchnorm.glsl"
ROWS_IN(0, x)
ROWS_IN(1, mean)
ROWS_IN(2, spread)
ROWS_IN(3, gamma)
ROWS_IN(4, beta)
ROWS_IN(5, residual)
ROWS_OUT(6, y)
layout(constant_id = 4) const bool RUNNING = false;

const uint STRIP = 16;

void main() {
    uint i = globalIndex();
    uint q = i % quadCount(), first = i / quadCount() * STRIP, end = min(first + STRIP, rows);
    if (first >= rows) {
        return;
    }
    vec4 m = mean(0, q), r = spread(0, q), scale = gamma(0, q), shift = beta(0, q);
    if (RUNNING) {
        r = 1 / sqrt(r + eps);
    }
    for (uint row = first; row < end; row++) {
        vec4 z = xhatOf(x(row, q), m, r) * scale + shift;
        if (RESIDUAL) {
            z += residual(row, q);
        }
        yStore(row, q, activate(z));
    }
}
