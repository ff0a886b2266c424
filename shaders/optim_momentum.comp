#version 450
// SGD with momentum in PyTorch's order, and LARS (You et al., arXiv 1708.03888)
// as the reference's utils.LARS has it, fused with the teacher's moving average:
//   g = rate (clip g + decay p),
//   m = beta1 m + g, p -= lr m,
//   t = momentum t + (1 - momentum) p.
// The moments begin as zeros, so that the first one is the first gradient. SGD's
// rate is 1; with ADAPT it is the tensor's own, for those that are decayed. A
// workgroup has a block. Nothing changes where status[0] is set; a frozen tensor
// moves its average alone, and so do all where status[1] is set. COPIES: as in
// optim_adamw.
// weight, gradient, moment, teacher (bank); blocks (count) as optim.glsl says;
// norms (segments, 2) = (norm, clip); rates (segments).
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "common.glsl"
#include "lanes.glsl"
#include "optim.glsl"
#include "stored.glsl"

layout(constant_id = 1) const bool ADAPT = false;
layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) buffer Weight { vec4 weight[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gradient { vec4 gradient[]; };
layout(std430, set = 0, binding = 2) buffer Moment { vec4 moment[]; };
layout(std430, set = 0, binding = 3) buffer Teacher { vec4 teacher[]; };
layout(std430, set = 0, binding = 4) readonly buffer Blocks { Block blocks[]; };
layout(std430, set = 0, binding = 5) readonly buffer Norms { vec2 norms[]; };
layout(std430, set = 0, binding = 6) readonly buffer Rates { float rates[]; };
#define STEP_PARAMS_BINDING 7
#include "stepparams.glsl"
layout(std430, set = 0, binding = 8) readonly buffer Status { uint status[]; };
layout(constant_id = 2) const bool COPIES = false;
OUTPUT(9, weightCopy);
OUTPUT(10, teacherCopy);

void main() {
    uint index = groupIndex();
    if (index >= count || status[0] != 0) {
        return;
    }
    Block block = blocks[index];
    bool frozen = (block.flags & LAST_LAYER) != 0 && params.freeze_last != 0;
    bool trained = (block.flags & FROZEN) == 0 && !frozen && status[1] == 0;
    float lr = (block.flags & BACKBONE) != 0 ? params.lr * params.backbone_rate : params.lr;
    bool decayed = (block.flags & DECAY) != 0;
    float decay = decayed ? params.weight_decay : 0;
    float rate = ADAPT && decayed ? rates[block.segment] : 1;
    float clip = norms[block.segment].y;

    uint end = block.first + block.quads;
    for (uint q = block.first + lane(); q < end; q += LANES) {
        vec4 p = weight[q];
        if (trained) {
            vec4 g = gradient[q] * clip + decay * p;
            vec4 m = params.beta1 * moment[q] + rate * g;
            p -= lr * m;
            moment[q] = m;
            weight[q] = p;
        }
        vec4 average = params.teacher_momentum * teacher[q] + params.teacher_momentum_rest * p;
        teacher[q] = average;
        if (COPIES) {
            STORE(weightCopy, q, p)
            STORE(teacherCopy, q, average)
        }
    }
}
