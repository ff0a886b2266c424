#version 450
// Last pass of the DINO loss, one workgroup: adds the terms and the entropies.
//   loss = loss_scale sum of terms
//   entropy = mean of the teacher's entropies, over all micro-steps
//   KL = loss - entropy, the mean of KL(q_iq, p_v) over the pairs iq != v,
// because every teacher row takes part in crops - 1 pairs.
// terms (count); stats (≥ rows, 4) with the teacher's rows first.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"

layout(push_constant) uniform Push { uint count; uint rows; uint crops; uint accumulate; };
layout(std430, set = 0, binding = 0) readonly buffer Terms { float terms[]; };
layout(std430, set = 0, binding = 1) readonly buffer Stats { vec4 stats[]; };
#define STEP_PARAMS_BINDING 2
#include "stepparams.glsl"
#define METRICS_BINDING 3
#include "metrics.glsl"

void main() {
    vec2 sums = vec2(0);
    for (uint i = lane(); i < count; i += LANES) {
        sums.x += terms[i];
    }
    for (uint i = lane(); i < rows; i += LANES) {
        sums.y += stats[i].z;
    }
    sums = laneSum(sums) * params.loss_scale * vec2(1, crops - 1);
    if (gl_LocalInvocationID.x == 0) {
        if (accumulate != 0) {
            sums += vec2(metrics.loss, metrics.entropy);
        }
        metrics.loss = sums.x;
        metrics.entropy = sums.y;
        metrics.kl = sums.x - sums.y;
    }
}
