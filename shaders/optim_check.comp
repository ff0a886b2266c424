#version 450
// Last stage of the gradient norms, one workgroup: the norm of all tensors
// together and the largest of one go to the metrics. Where the loss or a norm
// is not finite, status[0] becomes 1, and nothing resets it.
//
// DYNAMIC: a norm that is not finite only means that the loss scale was too high:
// status[1] = 1 lets the update of this step be skipped, and the scale is halved;
// after 2000 good steps it is doubled (the rule of PyTorch's GradScaler).
// norms (count, 2) = (norm, clip); scaler as scaler.glsl says.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"

layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) readonly buffer Norms { vec2 norms[]; };
#define METRICS_BINDING 1
#include "metrics.glsl"
layout(std430, set = 0, binding = 2) buffer Status { uint status[]; };
#define STEP_PARAMS_BINDING 3
#include "stepparams.glsl"
#define SCALER_BINDING 4
#define SCALER_ACCESS
#include "scaler.glsl"
layout(constant_id = 1) const bool DYNAMIC = false;

// isFinite looks at the bits, because compilers may assume away NaN.
bool isFinite(float x) { return (floatBitsToUint(x) & 0x7f800000) != 0x7f800000; }

// rescale follows the outcome of a step.
void rescale(bool skip) {
    if (skip) {
        scaler.scale *= 0.5;
        scaler.good = 0;
        scaler.skipped += 1;
        scaler.skipped_last += params.freeze_last != 0 ? 0 : 1;
    } else if (++scaler.good == 2000) {
        if (isFinite(2 * scaler.scale)) {
            scaler.scale *= 2;
        }
        scaler.good = 0;
    }
    metrics.loss_scale = scaler.scale;
    metrics.skipped = uint(scaler.skipped);
}

void main() {
    float largest = 0;
    float bad = 0;
    for (uint i = lane(); i < count; i += LANES) {
        float n = norms[i].x;
        largest = max(largest, n);
        bad += isFinite(n) ? 0 : 1;
    }
    largest = laneMax(largest);
    bad = laneSum(bad);

    // In units of the largest norm, whose square could overflow.
    float square = 0;
    float unit = largest > 0 ? 1 / largest : 0;
    for (uint i = lane(); i < count; i += LANES) {
        float n = norms[i].x * unit;
        square += n * n;
    }
    float total = largest * sqrt(laneSum(square));
    if (gl_LocalInvocationID.x == 0) {
        metrics.grad_norm = total;
        metrics.grad_norm_max = largest;
        if (!DYNAMIC && bad > 0 || !isFinite(metrics.loss)) {
            status[0] = 1;
        }
        if (DYNAMIC && status[0] == 0) {
            status[1] = bad > 0 ? 1 : 0;
            rescale(bad > 0);
        }
        metrics.status = status[0];
    }
}
