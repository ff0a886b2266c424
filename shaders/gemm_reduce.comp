#version 450
// Adds the parts of a matrix product that was split along k, in order:
// c = epilogue(alpha sum_s parts[s]), parts (slots, m, n), c (m, n) f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#define VEC 1
#define EPILOGUE_BINDING 1
#include "gemm_epilogue.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Parts { float parts[]; };
layout(push_constant) uniform Push {
    uint size, n; // size = m n
    uint slots;
    float alpha;
};

void main() {
    const uint i = globalIndex();
    if (i >= size) {
        return;
    }
    float sum = 0.0;
    for (uint s = 0u; s < slots; ++s) {
        sum += parts[s * size + i];
    }
    store(i, i % n, alpha * sum);
}
