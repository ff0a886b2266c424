// Vertical half of the blur (blur.glsl); the blurred crops are finished:
// solarized and normalised.
//
// crops () Crop; stats (count) uvec4; pixels (count, height, width), blurred
// along x; y (count, 3, height, width) f32.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "blur.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 1) readonly buffer Stats { uvec4 stats[]; };
layout(std430, set = 0, binding = 2) readonly buffer Pixels { uint pixels[]; };
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint first, width, height; };

void main() {
    uint strips = (height + uint(STRIP) - 1u) / uint(STRIP);
    uint i = gl_GlobalInvocationID.x;
    uint crop = gl_WorkGroupID.y;
    uint flags = crops[first + crop].flags;
    if (i >= strips * width || (flags & BLUR) == 0u) return;
    int n = int(height);
    uint x = i % width;
    int start = int(i / width) * STRIP - MARGIN;
    ivec3 v[SPAN];
    for (int k = 0; k < SPAN; ++k) {
        v[k] = unpackPixel(pixels[(crop * height + uint(clamp(start + k, 0, n - 1))) * width + x]);
    }
    boxBlur(v, stats[crop].yzw, start, n);
    for (int k = MARGIN; k < MARGIN + STRIP; ++k) {
        if (start + k >= n) continue;
        ivec3 c = v[k];
        if ((flags & SOLARIZE) != 0u) c = solarized(c);
        vec3 value = normalized(c);
        uint at = (crop * 3u * height + uint(start + k)) * width + x;
        y[at] = value.r;
        y[at + width * height] = value.g;
        y[at + 2u * width * height] = value.b;
    }
}
