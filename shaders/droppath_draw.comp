#version 450
// Draws stochastic depth (Huang et al., arXiv 1603.09382) for a step: for each
// branch of each layer and each sequence the factor of the branch's output,
//   scale = u < keep ? 1 / keep : 0, keep = 1 - rate · layer / (layers - 1).
// u is named by (seed; image id, epoch, crop, branch).
// images (batch, 4), the image id last; scale (2 · layers, sequences), a row a
// branch, sequences crop-major.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "philox.glsl"

layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint layers; uint sequences; uint batch; float rate; };
layout(std430, set = 0, binding = 0) readonly buffer Images { uvec4 images[]; };
#define STEP_PARAMS_BINDING 1
#include "stepparams.glsl"
layout(std430, set = 0, binding = 2) writeonly buffer Scale { float scale[]; };

const uint PURPOSE = 0x10000; // branches are drawn from here on

void main() {
    uint i = globalIndex();
    if (i >= 2 * layers * sequences) {
        return;
    }
    uint branch = i / sequences;
    uint sequence = i % sequences;
    float keep = 1 - rate * float(branch / 2) / float(max(layers, 2) - 1);
    uint id = images[sequence % batch].w;
    uvec4 words = philox(uvec2(params.seed_lo, params.seed_hi),
                         uvec4(id, params.epoch, sequence / batch, PURPOSE + branch));
    scale[i] = philoxUniform(words.x) < keep ? 1 / keep : 0;
}
