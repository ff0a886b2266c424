// The rate of products on matrix units: sums += a b in chains that depend on
// nothing else, CHAINS matrices of sums in each subgroup, 16 rounds times.
// Reads what the operands are filled with from constants (64) f32. Define OPERAND.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"

layout(constant_id = 0) const uint CHAINS = 8;
layout(constant_id = 1) const uint INVOCATIONS = 128;
layout(constant_id = 2) const uint SUBGROUP = 32; // invocations of a subgroup
layout(constant_id = 3) const uint MATRIX_M = 16;
layout(constant_id = 4) const uint MATRIX_N = 16;
layout(constant_id = 5) const uint MATRIX_K = 16;
layout(local_size_x_id = 1) in;
layout(std430, set = 0, binding = 0) readonly buffer C { float constants[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; }; // a matrix of each subgroup
layout(push_constant) uniform Push { uint rounds; };

void main() {
    coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a;
    coopmat<OPERAND, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
    for (int i = 0; i < a.length(); ++i) {
        a[i] = OPERAND(constants[(gl_LocalInvocationIndex + 7u * i) % 64u]);
    }
    for (int i = 0; i < b.length(); ++i) {
        b[i] = OPERAND(constants[(gl_LocalInvocationIndex + 5u * i) % 64u]);
    }
    coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> sums[CHAINS];
    [[unroll]] for (uint c = 0u; c < CHAINS; ++c) {
        sums[c] = coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>(float(c + gl_WorkGroupID.x));
    }
    for (uint round = 0u; round < rounds; ++round) {
        [[unroll]] for (uint i = 0u; i < 16u; ++i) {
            [[unroll]] for (uint c = 0u; c < CHAINS; ++c) {
                sums[c] = coopMatMulAdd(a, b, sums[c]);
            }
        }
    }
    [[unroll]] for (uint c = 1u; c < CHAINS; ++c) {
        sums[0] += sums[c];
    }
    const uint subgroup = gl_WorkGroupID.x * (INVOCATIONS / SUBGROUP) + gl_SubgroupID;
    coopMatStore(sums[0], y, subgroup * MATRIX_M * MATRIX_N, MATRIX_N, gl_CooperativeMatrixLayoutRowMajor);
}
