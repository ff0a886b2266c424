#version 450
// Second stage of layer norm's parameter gradients: adds the chunks' sums.
// sums (chunks, 2, width); dgamma, dbeta (width).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(push_constant) uniform Push { uint chunks; uint width; uint accumulate_gamma; uint accumulate_beta; };
#include "rows.glsl"
ROWS_IN(0, sums)
ROWS_INOUT(1, dgamma)
ROWS_INOUT(2, dbeta)

void main() {
    uint q = gl_GlobalInvocationID.x;
    if (q >= quadCount()) {
        return;
    }
    vec4 a = vec4(0), b = vec4(0);
    for (uint chunk = 0; chunk < chunks; chunk++) {
        a += sums(2 * chunk, q);
        b += sums(2 * chunk + 1, q);
    }
    dgammaStore(0, q, accumulate_gamma != 0 ? dgamma(0, q) + a : a);
    dbetaStore(0, q, accumulate_beta != 0 ? dbeta(0, q) + b : b);
}
