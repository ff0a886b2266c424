// Horizontal half of the blur (blur.glsl) of the crops that are to be blurred.
//
// crops () Crop; stats (count) uvec4; pixels, blurred (count, height,
// width).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "blur.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 1) readonly buffer Stats { uvec4 stats[]; };
layout(std430, set = 0, binding = 2) readonly buffer Pixels { uint pixels[]; };
layout(std430, set = 0, binding = 3) writeonly buffer Blurred { uint blurred[]; };
layout(push_constant) uniform Push { uint first, width, height; };

void main() {
    uint strips = (width + uint(STRIP) - 1u) / uint(STRIP);
    uint i = gl_GlobalInvocationID.x;
    uint crop = gl_WorkGroupID.y;
    if (i >= strips * height || (crops[first + crop].flags & BLUR) == 0u) return;
    int n = int(width);
    uint line = (crop * height + i / strips) * width;
    int start = int(i % strips) * STRIP - MARGIN;
    ivec3 v[SPAN];
    for (int k = 0; k < SPAN; ++k) {
        v[k] = unpackPixel(pixels[line + uint(clamp(start + k, 0, n - 1))]);
    }
    boxBlur(v, stats[crop].yzw, start, n);
    for (int k = MARGIN; k < MARGIN + STRIP; ++k) {
        if (start + k < n) blurred[line + uint(start + k)] = packPixel(v[k]);
    }
}
