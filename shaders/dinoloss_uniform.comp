#version 450
// Second pass of the DINO loss for llvmpipe; the equations are in dinoloss.glsl. A
// subgroup has PIECE columns of a crop of an image.
// student, dstudent (crops·batch, width); targets of dinoloss_targets_uniform; stats as
// the first pass left them; terms (crops·batch, width / PIECE).
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 student, targets, stats; uint batch; uint count[16]; };
#include "uniform.glsl"
#include "dinoloss_uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 64;
layout(constant_id = 2) const uint PIECE = 64;
layout(constant_id = 3) const uint PIECES = 1; // of a workgroup
layout(local_size_x_id = 98, local_size_y_id = 3) in;

// The first three are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Student { float unused_student[]; };
layout(std430, set = 0, binding = 1) readonly buffer Targets { float unused_targets[]; };
layout(std430, set = 0, binding = 2) readonly buffer Stats { float unused_stats[]; };
#define STEP_PARAMS_BINDING 3
#include "stepparams.glsl"
BLOCKS_OUT(4, dstudent);
layout(std430, set = 0, binding = 5) writeonly buffer Terms { float terms[]; };

void main() {
    const uint image = uniform16(gl_WorkGroupID.z), crop = uniform16(gl_WorkGroupID.y);
    const uint piece = uniform16(gl_WorkGroupID.x) * PIECES + uniform8(gl_SubgroupID), row = crop * batch + image;
    const uint first = row * WIDTH + piece * PIECE;
    Floats own = move(student, first), target = move(targets, (min(crop, 2u) * batch + image) * WIDTH + piece * PIECE);
    Floats s = move(stats, 4u * (2u * batch + row));
    const float inverse = LOG2_E / params.student_temp, m = s.at[0], z = LOG2_E * s.at[1];
    const float teachers = crop < 2u ? 1 : 2, scale = teachers * params.gradient_scale / params.student_temp;

    vec4 term = vec4(0);
    [[unroll]] for (uint i = 0u; i < PIECE; i += BLOCK) {
        const vec4 logp = (BLOCK_OF(own, i) - m) * inverse - z, q = BLOCK_OF(target, i);
        term += q * logp;
        const vec4 d = scale * (exp2OfNegative(logp) - q);
        BLOCK_STORE(dstudent, first + i, d)
    }
    terms[row * (WIDTH / PIECE) + piece] = -LN_2 * teachers * sumOfLanes(term);
}
