#version 450
// First pass of the DINO loss for llvmpipe, over parts of rows: of each, with x and
// the temperature of dinoloss_rows.glsl,
//   m = max x, sum exp((x - m) / temperature), sum exp(…) (x - m) / temperature.
// A subgroup has a part. logits (rows, width); center (width); partial (rows, parts, 4).
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 logits, center; uint count[16]; };
#include "uniform.glsl"
#include "dinoloss_uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 32;
layout(constant_id = 2) const uint PART = 32;
layout(constant_id = 3) const uint PARTS = 1; // of a workgroup
layout(constant_id = 4) const bool HAS_CENTER = false;
layout(local_size_x_id = 98, local_size_y_id = 3) in;

// Both are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Logits { float unused_logits[]; };
layout(std430, set = 0, binding = 1) readonly buffer Center { float unused_center[]; };
#define STEP_PARAMS_BINDING 2
#include "stepparams.glsl"
layout(std430, set = 0, binding = 3) writeonly buffer Partial { vec4 partial[]; };

#define X(i) (HAS_CENTER ? RUNS_OF(own, i) - RUNS_OF(middle, i) : RUNS_OF(own, i))

void main() {
    const uint row = uniform16(gl_WorkGroupID.y), part = uniform16(gl_WorkGroupID.x) * PARTS + uniform8(gl_SubgroupID);
    Floats own = move(logits, row * WIDTH + part * PART), middle = move(center, part * PART);
    const float inverse = LOG2_E / (HAS_CENTER ? params.teacher_temp : params.student_temp);

    vec4 top = X(0u);
    [[unroll]] for (uint i = BLOCK; i < PART; i += BLOCK) {
        const vec4 x = X(i);
        top = mix(top, x, greaterThan(x, top)); // max has more to say of NaN
    }
    const float m = subgroupMax(max(max(top.x, top.y), max(top.z, top.w)));

    vec4 sum = vec4(0), product = vec4(0);
    [[unroll]] for (uint i = 0u; i < PART; i += BLOCK) {
        const vec4 d = (X(i) - m) * inverse, e = exp2OfNegative(d);
        sum += e;
        product += e * d;
    }
    partial[row * (WIDTH / PART) + part] = vec4(m, sumOfLanes(sum), LN_2 * sumOfLanes(product), 0);
}
