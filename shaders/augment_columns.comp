// Vertical pass of the resize, and the flip.
//
// crops () Crop; taps as augment_weights writes them; lines (count, rows, width)
// pixels; pixels (count, height, width).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "augment.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 1) readonly buffer Taps { int taps[]; };
layout(std430, set = 0, binding = 2) readonly buffer Lines { uint lines[]; };
layout(std430, set = 0, binding = 3) writeonly buffer Pixels { uint pixels[]; };
layout(push_constant) uniform Push {
    uint first; // crop
    uint width, height;
    uint most;  // taps
    uint rows;  // room for one crop's rows
};

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= width * height) return;
    uint crop = gl_WorkGroupID.y;
    uint x = i % width;
    uint y = i / width;
    uint side = max(width, height);
    uint vertical = (crop * 2u + 1u) * (2u + most) * side;
    uint top = uint(taps[vertical]);
    uint start = uint(taps[vertical + y]) - top;
    int n = taps[vertical + side + y];
    ivec3 sum = ivec3(1 << 21);
    for (int k = 0; k < n; ++k) {
        uint row = min(start + uint(k), rows - 1u);
        sum += taps[vertical + (2u + uint(k)) * side + y] * unpackPixel(lines[(crop * rows + row) * width + x]);
    }
    if ((crops[first + crop].flags & FLIP) != 0u) {
        x = width - 1u - x;
    }
    pixels[(crop * height + y) * width + x] = packPixel(clamp(sum >> 22, 0, 255));
}
