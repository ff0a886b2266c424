#version 450
// Puts together what dinoloss_rows_uniform.comp found of the parts of rows.
// partial (rows, parts, 4); stats as dinoloss_rows.glsl says.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 8) in;
layout(push_constant) uniform Push { uint rows; uint parts; uint first_stat; uint has_center; };
layout(std430, set = 0, binding = 0) readonly buffer Partial { vec4 partial[]; };
#define STEP_PARAMS_BINDING 1
#include "stepparams.glsl"
layout(std430, set = 0, binding = 2) writeonly buffer Stats { vec4 stats[]; };

void main() {
    const uint row = globalIndex();
    if (row >= rows) {
        return;
    }
    const float inverse = 1 / (has_center != 0 ? params.teacher_temp : params.student_temp);
    float m = partial[row * parts].x;
    for (uint i = 1; i < parts; i++) {
        m = max(m, partial[row * parts + i].x);
    }
    vec2 sums = vec2(0);
    for (uint i = 0; i < parts; i++) {
        const vec4 part = partial[row * parts + i];
        const float rise = (m - part.x) * inverse; // of the maximum, as rescale in dinoloss_rows.glsl
        sums += exp(-rise) * vec2(part.y, part.z - part.y * rise);
    }
    const float z = log(sums.x);
    stats[first_stat + row] = vec4(m, z, z - sums.y / sums.x, 0);
}
