#version 450
// Attention probabilities of the first queries of each sequence.
//   p_ij = softmax_j(hd^-1/2 q_i . k_j), for i < queries
// qkv (sequences length, 3, H, hd), probs (sequences, H, queries, length), f32.
// An invocation does one row: its scores, of which it keeps the maximum and the
// sum online (see attention_fwd.glsl), then its quotients.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 1
#include "common.glsl"
#include "attention_head.glsl"

layout(local_size_x = 64) in;
INPUT(0, qkv)
layout(std430, set = 0, binding = 1) buffer Probs { float probs[]; };
layout(push_constant) uniform Push {
    uint sequences;
    uint length;
    uint heads;
    uint queries;
    float scale; // hd^-1/2
};

void main() {
    uint row = globalIndex();
    if (row >= sequences * heads * queries) {
        return;
    }
    uint query = row % queries;
    uint head = row / queries % heads;
    uint token = row / queries / heads * length;
    uint stride = 3 * heads * HD;
    uint first = (token + query) * stride + head * HD;
    vec4 q[HEAD];
    for (uint d = 0; d < HEAD; d++) {
        q[d] = FETCH(qkv, first, d) * scale;
    }
    uint k = token * stride + (heads + head) * HD;
    uint begin = row * length;

    float top = -3.0e38;
    float total = 0;
    for (uint j = 0; j < length; j++) {
        float s = 0;
        for (uint d = 0; d < HEAD; d++) {
            s += dot(q[d], FETCH(qkv, k + j * stride, d));
        }
        probs[begin + j] = s;
        float high = max(top, s);
        total = total * exp(top - high) + exp(s - high);
        top = high;
    }
    float inverse = 1 / total;
    for (uint j = 0; j < length; j++) {
        probs[begin + j] = exp(probs[begin + j] - top) * inverse;
    }
}
