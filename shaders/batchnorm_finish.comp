#version 450
// Last stage of a batch's statistics, from at most 64 parts: mean and
//   rstd = 1 / sqrt(var + eps), var biased,
// and the running statistics (Ioffe and Szegedy, arXiv 1502.03167, as PyTorch
// keeps them): running = (1 - momentum) running + momentum new, for the variance
// the unbiased one, and batches, how many there were.
// parts (count, 2, width); mean, rstd, running_mean, running_var (width);
// batches: one number.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint count; uint span; float eps; float momentum; };
#include "rows.glsl"
#include "batchnorm_combine.glsl"
ROWS_OUT(1, mean)
ROWS_OUT(2, rstd)
ROWS_INOUT(3, running_mean)
ROWS_INOUT(4, running_var)
layout(std430, set = 0, binding = 5) buffer Batches { float batches[]; };

void main() {
    uint q = globalIndex();
    if (q >= quadCount()) {
        return;
    }
    vec4 m, square;
    float n = combine(0, q, m, square);
    meanStore(0, q, m);
    rstdStore(0, q, 1 / sqrt(square / n + eps));
    running_meanStore(0, q, (1 - momentum) * running_mean(0, q) + momentum * m);
    running_varStore(0, q, (1 - momentum) * running_var(0, q) + momentum * (square / (n - 1)));
    if (q == 0) {
        batches[0] += 1;
    }
}
