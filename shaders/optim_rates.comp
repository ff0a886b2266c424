#version 450
// What AdamW needs to know of every 128 elements of a bank, for
// optim_adamw_uniform.comp: of each unit of a block
//   rates = (clip, keep, lr / bias1, sqrt(bias2)),
// the last 0 where the tensor is not trained in this step. blocks (count) and norms
// (segments, 2) are those of optim_adamw.glsl, status (2); rates (bank / 128, 4).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "optim.glsl"

layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint count; };
layout(std430, set = 0, binding = 0) readonly buffer Blocks { Block blocks[]; };
layout(std430, set = 0, binding = 1) readonly buffer Norms { vec2 norms[]; };
#define STEP_PARAMS_BINDING 2
#include "stepparams.glsl"
layout(std430, set = 0, binding = 3) readonly buffer Status { uint status[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Rates { vec4 rates[]; };

const uint QUADS = 32; // of a unit

void main() {
    const uint index = globalIndex() / 32, unit = globalIndex() % 32;
    if (index >= count || unit * QUADS >= blocks[index].quads) {
        return;
    }
    const Block block = blocks[index];
    const bool last = (block.flags & LAST_LAYER) != 0;
    const bool trained = (block.flags & FROZEN) == 0 && !(last && params.freeze_last != 0) && status[1] == 0;
    const float lr = (block.flags & BACKBONE) != 0 ? params.lr * params.backbone_rate : params.lr;
    const float keep = (block.flags & DECAY) != 0 ? 1 - lr * params.weight_decay : 1;
    const float root = trained ? sqrt(last ? params.bias2_last : params.bias2) : 0;
    rates[block.first / QUADS + unit] = vec4(norms[block.segment].y, keep, lr / (last ? params.bias1_last : params.bias1), root);
}
