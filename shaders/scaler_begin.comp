#version 450
// What the dynamic loss scale (Micikevicius et al., arXiv 1710.03740, section
// 3.2) changes in a step's settings before it: the loss's gradient is scaled, the
// weights' gradients will be unscaled, and AdamW's bias corrections 1 - beta^t
// count the updates that were made, without those that were skipped. While none
// was, the corrections stay those that the host formed in float64.
// params (StepParams); scaler (op.Scaler). One invocation.
layout(local_size_x = 1) in;
#define STEP_PARAMS_INOUT
#define STEP_PARAMS_BINDING 0
#extension GL_GOOGLE_include_directive : require
#include "stepparams.glsl"
#define SCALER_BINDING 1
#define SCALER_ACCESS readonly
#include "scaler.glsl"

// complement is 1 - (1 - rest)^n, by squaring; no digit cancels.
float complement(float rest, uint n) {
    float sum = 0;
    for (uint bit = 0; bit < 32; bit++) {
        if ((n >> bit & 1) != 0) {
            sum += rest - sum * rest;
        }
        rest += rest - rest * rest;
    }
    return sum;
}

void main() {
    params.gradient_scale *= scaler.scale;
    params.gradient_unscale /= scaler.scale;
    if (scaler.skipped > 0) {
        uint n = params.updates - uint(scaler.skipped);
        params.bias1 = complement(params.beta1_rest, n);
        params.bias2 = complement(params.beta2_rest, n);
    }
    if (scaler.skipped_last > 0) {
        uint n = params.updates_last - uint(scaler.skipped_last);
        params.bias1_last = complement(params.beta1_rest, n);
        params.bias2_last = complement(params.beta2_rest, n);
    }
}
