// Horizontal pass of the resize: the box's rows that the output needs, each
// resized to the window's columns and rounded to 8 bits.
//
// images () u8 RGB, packed; table (images, 4) u32 {byte offset, width, height,
// image id}; crops () Crop; taps as augment_weights writes them; lines (count,
// rows, width) pixels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "augment.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer Images { uint bytes[]; };
layout(std430, set = 0, binding = 1) readonly buffer Table { uvec4 table[]; };
layout(std430, set = 0, binding = 2) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 3) readonly buffer Taps { int taps[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Lines { uint lines[]; };
layout(push_constant) uniform Push {
    uint first; // crop
    uint width, height;
    uint most;  // taps
    uint rows;  // room for one crop's rows
    uint base;  // byte at which images begins
};

// pixelAt reads three bytes, which lie in one word or two.
ivec3 pixelAt(uint at) {
    uint word = at >> 2;
    uint shift = (at & 3u) * 8u;
    uint p = bytes[word] >> shift;
    if (shift > 8u) {
        p |= bytes[word + 1u] << (32u - shift);
    }
    return unpackPixel(p);
}

void main() {
    uint i = gl_GlobalInvocationID.x;
    uint crop = gl_WorkGroupID.y;
    uint x = i % width;
    uint row = i / width;
    uint side = max(width, height);
    uint horizontal = crop * 2u * (2u + most) * side + x;
    uint vertical = (crop * 2u + 1u) * (2u + most) * side;
    uint top = uint(taps[vertical]);
    uint bottom = uint(taps[vertical + height - 1u] + taps[vertical + side + height - 1u]);
    if (row >= min(bottom - top, rows)) return;

    Crop c = crops[first + crop];
    uvec4 entry = table[c.image];
    uint line = entry.x - base + 3u * ((c.y + top + row) * entry.y + c.x + uint(taps[horizontal]));
    int n = taps[horizontal + side];
    ivec3 sum = ivec3(1 << 21);
    for (int k = 0; k < n; ++k) {
        sum += taps[horizontal + (2u + uint(k)) * side] * pixelAt(line + 3u * uint(k));
    }
    lines[(crop * rows + row) * width + x] = packPixel(clamp(sum >> 22, 0, 255));
}
