// AdamW (Loshchilov and Hutter, arXiv 1711.05101) in PyTorch's order, fused with
// the teacher's moving average:
//   g = clip g, p -= lr decay p,
//   m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g²,
//   p -= lr / bias1 · m / (sqrt(v) / sqrt(bias2) + eps),
//   t = momentum t + (1 - momentum) p.
// A workgroup has a block. Nothing changes where status[0] is set; a frozen
// tensor moves its average alone, and so do all where status[1] is set. COPIES:
// what products read of weight and teacher is written too, in its own type.
// weight, gradient, moment1, moment2, teacher (bank); blocks (count) as optim.glsl
// says; norms (segments, 2) = (norm, clip).
//
// Define TEXELS to read the banks through texel buffers of their own, from binding 11
// on in the order of 0 to 4: llvmpipe loads those several times as fast. An
// invocation reads an element before it writes it.
#define VEC 4
#include "common.glsl"
#include "lanes.glsl"
#include "optim.glsl"
#include "stored.glsl"

layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) buffer Weight { vec4 weight[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gradient { vec4 gradient[]; };
layout(std430, set = 0, binding = 2) buffer Moment1 { vec4 moment1[]; };
layout(std430, set = 0, binding = 3) buffer Moment2 { vec4 moment2[]; };
layout(std430, set = 0, binding = 4) buffer Teacher { vec4 teacher[]; };
layout(std430, set = 0, binding = 5) readonly buffer Blocks { Block blocks[]; };
layout(std430, set = 0, binding = 6) readonly buffer Norms { vec2 norms[]; };
#define STEP_PARAMS_BINDING 7
#include "stepparams.glsl"
layout(std430, set = 0, binding = 8) readonly buffer Status { uint status[]; };
layout(constant_id = 2) const bool COPIES = false;
OUTPUT(9, weightCopy);
OUTPUT(10, teacherCopy);
#ifdef TEXELS
layout(set = 0, binding = 11) uniform samplerBuffer weightTexels;
layout(set = 0, binding = 12) uniform samplerBuffer gradientTexels;
layout(set = 0, binding = 13) uniform samplerBuffer moment1Texels;
layout(set = 0, binding = 14) uniform samplerBuffer moment2Texels;
layout(set = 0, binding = 15) uniform samplerBuffer teacherTexels;
#define OLD(x, q) texelFetch(x##Texels, int(q))
#else
#define OLD(x, q) x[q]
#endif

void main() {
    uint index = groupIndex();
    if (index >= count || status[0] != 0) {
        return;
    }
    Block block = blocks[index];
    bool last = (block.flags & LAST_LAYER) != 0;
    bool trained = (block.flags & FROZEN) == 0 && !(last && params.freeze_last != 0) && status[1] == 0;
    float lr = (block.flags & BACKBONE) != 0 ? params.lr * params.backbone_rate : params.lr;
    float keep = (block.flags & DECAY) != 0 ? 1 - lr * params.weight_decay : 1;
    float clip = norms[block.segment].y;
    float rate = lr / (last ? params.bias1_last : params.bias1);
    float root = sqrt(last ? params.bias2_last : params.bias2);

    uint end = block.first + block.quads;
    for (uint q = block.first + lane(); q < end; q += LANES) {
        vec4 p = OLD(weight, q);
        if (trained) {
            vec4 g = OLD(gradient, q) * clip;
            vec4 m = params.beta1 * OLD(moment1, q) + params.beta1_rest * g;
            vec4 v = params.beta2 * OLD(moment2, q) + params.beta2_rest * g * g;
            p = p * keep - rate * (m / (sqrt(v) / root + params.eps));
            moment1[q] = m;
            moment2[q] = v;
            weight[q] = p;
        }
        vec4 average = params.teacher_momentum * OLD(teacher, q) + params.teacher_momentum_rest * p;
        teacher[q] = average;
        if (COPIES) {
            STORE(weightCopy, q, p)
            STORE(teacherCopy, q, average)
        }
    }
}
