#version 450
// Exchanges the last two axes of matrices, cut or padded with zeros to the
// size of the result, and adds slots of them up in order:
//   y[i, c, d] (+)= sum_s x[s, i, d, c]
// x (slots, count, rows, columns), y (count, outRows, outColumns), f32; y is
// zero where x has no row d or no column c. An invocation makes four elements.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) buffer Y { float y[]; };
layout(constant_id = 0) const bool ACCUMULATE = false; // add to y instead of writing it
layout(push_constant) uniform Push {
    uint count;
    uint rows, columns;
    uint outRows, outColumns;
    uint slots;
};

void main() {
    const uint first = globalIndex() * 4u, n = count * outRows * outColumns;
    uint d = first % outColumns;
    uint c = first / outColumns % outRows;
    uint matrix = first / outColumns / outRows;
    for (uint i = 0u; i < 4u; ++i) {
        float sum = 0.0;
        if (d < rows && c < columns) {
            uint at = (matrix * rows + d) * columns + c;
            sum = x[at];
            for (uint s = 1u; s < slots; ++s) {
                at += count * rows * columns;
                sum += x[at];
            }
        }
        if (first + i < n) {
            y[first + i] = ACCUMULATE ? y[first + i] + sum : sum;
        }
        // The next element, without dividing.
        const bool line = ++d == outColumns;
        d = line ? 0u : d;
        c += uint(line);
        const bool end = c == outRows;
        c = end ? 0u : c;
        matrix += uint(end);
    }
}
