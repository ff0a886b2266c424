#version 450
// AdamW and the average for llvmpipe; the equations are in optim_adamw.glsl. A
// subgroup has a unit of 128 elements, and of what the tables say of it only rates.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 weight_at, gradient, moment1_at, moment2_at, teacher_at, rates; uint count[16]; };
#include "uniform.glsl"
layout(constant_id = 1) const uint UNITS = 1; // of a workgroup
layout(local_size_x_id = 98, local_size_y_id = 1) in;

// The banks and rates are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) buffer Weight { float unused_weight[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gradient { float unused_gradient[]; };
layout(std430, set = 0, binding = 2) buffer Moment1 { float unused_moment1[]; };
layout(std430, set = 0, binding = 3) buffer Moment2 { float unused_moment2[]; };
layout(std430, set = 0, binding = 4) buffer Teacher { float unused_teacher[]; };
layout(std430, set = 0, binding = 5) readonly buffer Rates { float unused_rates[]; };
#define STEP_PARAMS_BINDING 6
#include "stepparams.glsl"
layout(std430, set = 0, binding = 7) readonly buffer Status { uint status[]; };
BLOCKS_OUT(0, weight);
BLOCKS_OUT(2, moment1);
BLOCKS_OUT(3, moment2);
BLOCKS_OUT(4, teacher);

const uint UNIT = 128u;

void main() {
    const uint unit = uniform16(gl_WorkGroupID.x) * UNITS + uniform8(gl_SubgroupID), first = UNIT * unit;
    Floats weights = move(weight_at, first), gradients = move(gradient, first), teachers = move(teacher_at, first);
    Floats firsts = move(moment1_at, first), seconds = move(moment2_at, first), own = move(rates, 4u * unit);
    const float clip = own.at[0], keep = own.at[1], rate = own.at[2], root = own.at[3];
    const bool changed = status[0] == 0u, trained = changed && root > 0.0; // both choose numbers, no branch

    // Loaded once: what is stored might be these for all that the compiler knows.
    const float beta1 = params.beta1, beta1Rest = params.beta1_rest, beta2 = params.beta2, beta2Rest = params.beta2_rest;
    const float eps = params.eps, momentum = params.teacher_momentum, rest = params.teacher_momentum_rest;

    [[unroll]] for (uint i = 0u; i < UNIT; i += BLOCK) {
        const vec4 p = BLOCK_OF(weights, i), m = BLOCK_OF(firsts, i), v = BLOCK_OF(seconds, i), t = BLOCK_OF(teachers, i);
        const vec4 g = BLOCK_OF(gradients, i) * clip;
        const vec4 newM = beta1 * m + beta1Rest * g;
        const vec4 newV = beta2 * v + beta2Rest * g * g;
        const vec4 moved = p * keep - rate * (newM / (sqrt(newV) / root + eps));
        const vec4 newP = trained ? moved : p;
        const vec4 average = momentum * t + rest * newP;
        BLOCK_STORE(moment1, first + i, trained ? newM : m)
        BLOCK_STORE(moment2, first + i, trained ? newV : v)
        BLOCK_STORE(weight, first + i, newP)
        BLOCK_STORE(teacher, first + i, changed ? average : t)
    }
}
