// First of two stages of layer norm's parameter gradients: the sums of
//   dy xhat and dy, xhat = (x - mean) rstd,
// over each chunk of rows. An invocation sums one quad of columns.
// x, dy (rows, width); mean, rstd (rows); sums (chunks, 2, width).
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint chunk_rows; uint first_chunk; };
#include "rows.glsl"
ROWS_IN(0, x)
layout(std430, set = 0, binding = 1) readonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 2) readonly buffer Rstd { float rstd[]; };
ROWS_IN(3, dy)
ROWS_OUT(4, sums)

void main() {
    uint q = gl_GlobalInvocationID.x;
    if (q >= quadCount()) {
        return;
    }
    uint chunk = gl_WorkGroupID.y;
    uint end = min((chunk + 1) * chunk_rows, rows);
    vec4 dgamma = vec4(0), dbeta = vec4(0);
    for (uint row = chunk * chunk_rows; row < end; row++) {
        vec4 d = dy(row, q);
        dgamma += d * ((x(row, q) - mean[row]) * rstd[row]);
        dbeta += d;
    }
    uint at = 2 * (first_chunk + chunk);
    sumsStore(at, q, dgamma);
    sumsStore(at + 1, q, dbeta);
}
