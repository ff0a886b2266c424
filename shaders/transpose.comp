#version 450
// Exchanges the last two axes of matrices, cut or padded with zeros to the
// size of the result, and adds slots of them up in order:
//   y[i, c, d] (+)= sum_s x[s, i, d, c]
// x (slots, count, rows, columns), y (count, outRows, outColumns), f32; y is
// zero where x has no row d or no column c.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) buffer Y { float y[]; };
layout(push_constant) uniform Push {
    uint count;
    uint rows, columns;
    uint outRows, outColumns;
    uint slots;
    uint accumulate; // add to y instead of writing it
};

void main() {
    const uint i = globalIndex();
    if (i >= count * outRows * outColumns) {
        return;
    }
    const uint d = i % outColumns;
    const uint c = i / outColumns % outRows;
    const uint matrix = i / outColumns / outRows;
    float sum = 0.0;
    if (d < rows && c < columns) {
        for (uint s = 0u; s < slots; ++s) {
            sum += x[((s * count + matrix) * rows + d) * columns + c];
        }
    }
    y[i] = accumulate != 0u ? y[i] + sum : sum;
}
