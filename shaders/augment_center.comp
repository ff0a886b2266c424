// Says how each picture of a batch is made ready for evaluation: its shorter
// side resized to `resized` pixels, the central size x size window kept
// (torchvision's Resize and CenterCrop).
//
// table (images, 4) u32 {byte offset, width, height, image id}; crops (images) Crop.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "augment.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Table { uvec4 table[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Crops { Crop crops[]; };
layout(push_constant) uniform Push { uint images, resized, size; };

// Sides above this would overflow the 64-bit weights of the resize.
const uint LONGEST = 16384u;

// halfEven is n / 2, ties to even.
uint halfEven(uint n) {
    return (n + ((n >> 1) & 1u)) >> 1;
}

void main() {
    uint i = globalIndex();
    if (i >= images) return;
    uvec4 entry = table[i];
    uint width = entry.y, height = entry.z;
    Crop c;
    c.image = i;
    // Of a picture too long for that, the ends are cut off: they are far from
    // the window.
    uint limit = min(width, height) * (LONGEST / resized);
    c.w = min(width, limit);
    c.h = min(height, limit);
    c.x = (width - c.w) / 2u;
    c.y = (height - c.h) / 2u;
    c.resized_w = c.w <= c.h ? resized : resized * c.w / c.h;
    c.resized_h = c.w <= c.h ? resized * c.h / c.w : resized;
    c.window_x = halfEven(c.resized_w - size);
    c.window_y = halfEven(c.resized_h - size);
    c.flags = 0u;
    c.order = 0x3210u;
    c.brightness = 1.0;
    c.contrast = 1.0;
    c.saturation = 1.0;
    c.hue = 0.0;
    c.radius = 0.0;
    crops[i] = c;
}
