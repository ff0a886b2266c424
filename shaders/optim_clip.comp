#version 450
// Second stage of the gradient norms, a workgroup a tensor:
//   norm = sqrt(sum of its blocks' squares) gradient_unscale,
//   clip = min(1, clip_grad / (norm + 1e-6)) gradient_unscale, or gradient_unscale
// where clip_grad = 0: the factor that the reference's clip_gradients applies,
// tensor by tensor, and what undoes the loss scale.
// squares (blocks); segments (count); norms (count, 2) = (norm, clip).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "optim.glsl"

layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) readonly buffer Squares { float squares[]; };
layout(std430, set = 0, binding = 1) readonly buffer Segments { Segment segments[]; };
#define STEP_PARAMS_BINDING 2
#include "stepparams.glsl"
layout(std430, set = 0, binding = 3) writeonly buffer Norms { vec2 norms[]; };

void main() {
    uint index = groupIndex();
    if (index >= count) {
        return;
    }
    Segment segment = segments[index];
    float sum = 0;
    for (uint i = lane(); i < segment.blocks; i += LANES) {
        sum += squares[segment.first + i];
    }
    float norm = sqrt(laneSum(sum)) * params.gradient_unscale;
    if (lane() == 0) {
        float clip = params.clip_grad > 0 ? min(1, params.clip_grad / (norm + 1e-6)) : 1;
        norms[index] = vec2(norm, clip * params.gradient_unscale);
    }
}
