#version 450
// What a loss's second pass for llvmpipe compares the crops with: of an image's
// teacher rows q_0 and q_1, softmax((teacher - center) / teacher_temp), the targets of
// the crops 0 and 1, q_1 and q_0, and that of all others, their mean. A subgroup has
// PIECE columns of an image.
// teacher (2·batch, width); center (width); stats as the first pass left them; targets
// (3·batch, width).
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 teacher, center, stats; uint batch; uint count[16]; };
#include "uniform.glsl"
#include "dinoloss_uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 64;
layout(constant_id = 2) const uint PIECE = 64;
layout(constant_id = 3) const uint PIECES = 1; // of a workgroup
layout(local_size_x_id = 98, local_size_y_id = 3) in;

// The first three are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Teacher { float unused_teacher[]; };
layout(std430, set = 0, binding = 1) readonly buffer Center { float unused_center[]; };
layout(std430, set = 0, binding = 2) readonly buffer Stats { float unused_stats[]; };
#define STEP_PARAMS_BINDING 3
#include "stepparams.glsl"
BLOCKS_OUT(4, targets);

#define Q(row, s, z) exp2OfNegative((BLOCK_OF(row, i) - c - s.at[0]) * inverse - z)

void main() {
    const uint image = uniform16(gl_WorkGroupID.y), piece = uniform16(gl_WorkGroupID.x) * PIECES + uniform8(gl_SubgroupID);
    const uint first = image * WIDTH + piece * PIECE, rows = batch * WIDTH;
    const float inverse = LOG2_E / params.teacher_temp;
    Floats middle = move(center, piece * PIECE), row0 = move(teacher, first), row1 = move(teacher, rows + first);
    Floats s0 = move(stats, 4u * image), s1 = move(stats, 4u * (batch + image));
    const float z0 = LOG2_E * s0.at[1], z1 = LOG2_E * s1.at[1];

    [[unroll]] for (uint i = 0u; i < PIECE; i += BLOCK) {
        const vec4 c = BLOCK_OF(middle, i), q0 = Q(row0, s0, z0), q1 = Q(row1, s1, z1);
        BLOCK_STORE(targets, first + i, q1)
        BLOCK_STORE(targets, rows + first + i, q0)
        BLOCK_STORE(targets, 2u * rows + first + i, 0.5 * (q0 + q1))
    }
}
