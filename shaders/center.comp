#version 450
// Center of the teacher's logits (arXiv 2104.14294, equation 4):
//   center = m center + (1 - m) sum / rows,
// left alone where the step met a number that is not finite.
// center, sum (width); rows: of all micro-steps together.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; };
#include "rows.glsl"
ROWS_INOUT(0, center)
ROWS_IN(1, sum)
#define STEP_PARAMS_BINDING 2
#include "stepparams.glsl"
layout(std430, set = 0, binding = 3) readonly buffer Status { uint status[]; };

void main() {
    uint q = gl_GlobalInvocationID.x;
    if (q >= quadCount() || status[0] != 0) {
        return;
    }
    vec4 mean = sum(0, q) / float(rows);
    centerStore(0, q, params.center_momentum * center(0, q) + params.center_momentum_rest * mean);
}
