#version 450
// Merges the scores of some candidates into each row's list of the k best:
// best first, and of equal scores the candidate of the lower number first.
// scores (rows, stride) f32, of which columns first to first + count are looked
// at; column j is candidate number base + j;
// values (rows, k) f32 and numbers (rows, k) u32, sorted.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 32) in;
layout(std430, set = 0, binding = 0) readonly buffer Scores { float scores[]; };
layout(std430, set = 0, binding = 1) buffer Values { float values[]; };
layout(std430, set = 0, binding = 2) buffer Numbers { uint numbers[]; };
layout(push_constant) uniform Push { uint rows, stride, first, count, k, base; };

void main() {
    uint row = globalIndex();
    if (row >= rows) {
        return;
    }
    uint list = row * k;
    float least = values[list + k - 1];
    for (uint j = first; j < first + count; j++) {
        float score = scores[row * stride + j];
        if (!(score > least)) {
            continue;
        }
        uint at = k - 1;
        for (; at > 0 && values[list + at - 1] < score; at--) {
            values[list + at] = values[list + at - 1];
            numbers[list + at] = numbers[list + at - 1];
        }
        values[list + at] = score;
        numbers[list + at] = base + j;
        least = values[list + k - 1];
    }
}
