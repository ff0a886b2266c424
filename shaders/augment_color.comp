// Colour jitter and grayscale; crops that are not to be blurred are finished:
// solarized and normalised.
//
// crops () Crop; stats (count) uvec4 as augment_stats writes them; pixels
// (count, height, width), rewritten where they are blurred next; y (count, 3,
// height, width) f32.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "jitter.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 1) readonly buffer Stats { uvec4 stats[]; };
layout(std430, set = 0, binding = 2) buffer Pixels { uint pixels[]; };
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint first, width, height; };

void main() {
    uint i = gl_GlobalInvocationID.x;
    uint n = width * height;
    if (i >= n) return;
    uint crop = gl_WorkGroupID.y;
    Crop p = crops[first + crop];
    ivec3 c = unpackPixel(pixels[crop * n + i]);
    if ((p.flags & JITTER) != 0u) {
        c = jittered(c, p, 4u, int(stats[crop].x));
    }
    if ((p.flags & GRAY) != 0u) {
        c = ivec3(luma(c));
    }
    if ((p.flags & BLUR) != 0u) {
        pixels[crop * n + i] = packPixel(c);
        return;
    }
    if ((p.flags & SOLARIZE) != 0u) {
        c = solarized(c);
    }
    vec3 v = normalized(c);
    uint at = crop * 3u * n + i;
    y[at] = v.r;
    y[at + n] = v.g;
    y[at + 2u * n] = v.b;
}
