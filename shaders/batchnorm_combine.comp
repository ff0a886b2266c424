#version 450
// Middle stage of a batch's statistics: combines each 64 parts to one.
// parts (count, 2, width); sums (count / 64 rounded up, 2, width).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint count; uint span; };
#include "rows.glsl"
#include "batchnorm_combine.glsl"
ROWS_OUT(1, sums)

void main() {
    uint i = globalIndex();
    uint group = i / quadCount(), q = i % quadCount();
    if (group * GROUP >= count) {
        return;
    }
    vec4 mean, square;
    combine(group, q, mean, square);
    sumsStore(2 * group, q, mean);
    sumsStore(2 * group + 1, q, square);
}
