#version 450
// Second pass of the DINO loss for llvmpipe; the equations are in dinoloss.glsl. A
// subgroup has PIECE columns of an image, and goes through the crops.
// teacher (2·batch, width); student, dstudent (CROPS·batch, width); center (width);
// stats as the first pass left them; terms (batch, width / PIECE).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
layout(push_constant) uniform Push { uvec2 teacher, student, center, stats; uint batch; uint count[16]; };
#include "uniform.glsl"
#include "dinoloss_uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 64;
layout(constant_id = 2) const uint PIECES = 1; // of a workgroup
layout(constant_id = 3) const uint CROPS = 2;
layout(local_size_x = 8, local_size_y_id = 2) in;

// The first four are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Teacher { float unused_teacher[]; };
layout(std430, set = 0, binding = 1) readonly buffer Student { float unused_student[]; };
layout(std430, set = 0, binding = 2) readonly buffer Center { float unused_center[]; };
layout(std430, set = 0, binding = 3) readonly buffer Stats { float unused_stats[]; };
#define STEP_PARAMS_BINDING 4
#include "stepparams.glsl"
BLOCKS_OUT(5, dstudent);
layout(std430, set = 0, binding = 6) writeonly buffer Terms { float terms[]; };

const uint PIECE = 64u;

void main() {
    const uint image = uniform16(gl_WorkGroupID.y), piece = uniform16(gl_WorkGroupID.x) * PIECES + uniform8(gl_SubgroupID);
    const uint column = PIECE * piece;
    const float teacherInverse = 1 / params.teacher_temp, studentInverse = 1 / params.student_temp;
    const float scale = params.gradient_scale * studentInverse;
    Floats middle = move(center, column);
    Floats row0 = move(teacher, image * WIDTH + column), row1 = move(teacher, (batch + image) * WIDTH + column);
    Floats s0 = move(stats, 4u * image), s1 = move(stats, 4u * (batch + image));

    vec4 term = vec4(0);
    [[unroll]] for (uint i = 0u; i < PIECE; i += BLOCK) {
        const vec4 c = BLOCK_OF(middle, i);
        const vec4 q0 = expOf((BLOCK_OF(row0, i) - c - s0.at[0]) * teacherInverse - s0.at[1]);
        const vec4 q1 = expOf((BLOCK_OF(row1, i) - c - s1.at[0]) * teacherInverse - s1.at[1]);
        [[unroll]] for (uint v = 0u; v < CROPS; ++v) {
            const uint first = (v * batch + image) * WIDTH + column;
            Floats row = move(student, first), s = move(stats, 4u * ((2u + v) * batch + image));
            const vec4 w = v == 0u ? q1 : v == 1u ? q0 : q0 + q1;
            const vec4 logp = (BLOCK_OF(row, i) - s.at[0]) * studentInverse - s.at[1];
            term -= w * logp;
            const vec4 d = scale * ((v < 2u ? 1.0 : 2.0) * expOf(logp) - w);
            BLOCK_STORE(dstudent, first + i, d)
        }
    }
    terms[image * (WIDTH / PIECE) + piece] = sumOfLanes(term);
}
