#version 450
// Last stage of the gradient norms, one workgroup: the norm of all tensors
// together and the largest of one go to the metrics. Where the loss or a norm
// is not finite, status[0] becomes 1, and nothing resets it.
// norms (count, 2) = (norm, clip).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"

layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) readonly buffer Norms { vec2 norms[]; };
#define METRICS_BINDING 1
#include "metrics.glsl"
layout(std430, set = 0, binding = 2) buffer Status { uint status[]; };

// isFinite looks at the bits, because compilers may assume away NaN.
bool isFinite(float x) { return (floatBitsToUint(x) & 0x7f800000) != 0x7f800000; }

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
        if (bad > 0 || !isFinite(metrics.loss)) {
            status[0] = 1;
        }
        metrics.status = status[0];
    }
}
