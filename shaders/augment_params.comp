// Draws how each crop of a batch is made: the random resized crop, flip, colour
// jitter, grayscale, blur and solarization of DINO (Caron et al. 2021, after
// BYOL), as torchvision draws them but from Philox. Only operations that every
// device rounds alike are used, so that a crop is the same everywhere; its
// mirror is gpu/ref/augment.go.
//
// table (images, 4) u32 {byte offset, width, height, image id}; crops (crops *
// images) Crop, crop-major. A draw depends on (seed, epoch, image id, crop)
// alone.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "philox.glsl"
#include "augment.glsl"

#define STEP_PARAMS_BINDING 1
#include "stepparams.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Table { uvec4 table[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Crops { Crop crops[]; };
layout(push_constant) uniform Push {
    uint images;
    uint count;               // crops of one image
    uint globals;             // how many of them, the first, are global
    uint global_size, local_size;
    float global_scale, global_scale_span; // smallest share of the area, and largest - smallest
    float local_scale, local_scale_span;
    float flip, jitter, gray; // probabilities
    float brightness, contrast, saturation, hue; // greatest distance of a factor from 1, of hue from 0
    float blur_first, blur_second, blur_local;   // probabilities by kind of crop
    float solarize_first, solarize_second, solarize_local;
};

const uint ATTEMPTS = 10u;
const float LOG_RATIO = 0.28768207245178096; // log(4/3)

// What the last word of the counter says is drawn.
const uint DRAW_FLAGS = 0u;    // flip, jitter, gray, blur
const uint DRAW_ORDER = 1u;    // solarize, order, radius, hue
const uint DRAW_FACTORS = 2u;  // brightness, contrast, saturation
const uint DRAW_BOX = 3u;      // and up, one for each attempt: area, ratio, top, left

// exponential is exp(x) for |x| <= LOG_RATIO to float32's precision, by Taylor,
// because exp itself differs between devices.
float exponential(float x) {
    precise float y = x * (1.0 / 5040.0) + (1.0 / 720.0);
    y = y * x + (1.0 / 120.0);
    y = y * x + (1.0 / 24.0);
    y = y * x + (1.0 / 6.0);
    y = y * x + 0.5;
    y = y * x + 1.0;
    y = y * x + 1.0;
    return y;
}

// square of a half-integer: exact for sides up to 2048.
float halfSquare(uint twice) {
    precise float half_ = float(twice) * 0.5;
    precise float square = half_ * half_;
    return square;
}

// roundedRoot is sqrt(x) rounded to the nearest integer, ties to even; sqrt only
// guesses, because its last bit differs between devices.
uint roundedRoot(float x) {
    uint n = uint(sqrt(x) + 0.5);
    for (uint i = 0u; i < 2u && n > 0u; ++i) {
        float low = halfSquare(2u * n - 1u);
        if (x < low || (x == low && (n & 1u) == 1u)) --n;
    }
    for (uint i = 0u; i < 2u; ++i) {
        float high = halfSquare(2u * n + 1u);
        if (x > high || (x == high && (n & 1u) == 1u)) ++n;
    }
    return n;
}

// drawBox is torchvision's RandomResizedCrop.get_params: up to ten boxes of
// random area and log-uniform aspect ratio, else a central one.
void drawBox(uvec2 key, uvec4 counter, uint width, uint height, float scale, float span, inout Crop c) {
    float area = float(width * height);
    for (uint attempt = 0u; attempt < ATTEMPTS; ++attempt) {
        counter.w = DRAW_BOX + attempt;
        uvec4 r = philox(key, counter);
        precise float share = scale + span * philoxUniform(r.x);
        precise float target = area * share;
        precise float logRatio = 2.0 * LOG_RATIO * philoxUniform(r.y) - LOG_RATIO;
        precise float wide = target * exponential(logRatio);
        precise float tall = target * exponential(-logRatio);
        uint w = roundedRoot(wide);
        uint h = roundedRoot(tall);
        if (w > 0u && w <= width && h > 0u && h <= height) {
            c.y = philoxBelow(r.z, height - h + 1u);
            c.x = philoxBelow(r.w, width - w + 1u);
            c.w = w;
            c.h = h;
            return;
        }
    }
    c.w = width;
    c.h = height;
    if (4u * width < 3u * height) {
        c.h = (8u * width + 3u) / 6u; // round(4/3 width): never a tie
    } else if (3u * width > 4u * height) {
        c.w = (8u * height + 3u) / 6u;
    }
    c.x = (width - c.w) / 2u;
    c.y = (height - c.h) / 2u;
}

// permutation spells the n-th of the 24 orders of four operations, with hue or
// with none in its place: even a turn by 0 rounds the colours.
uint permutation(uint n) {
    uint left = 0x3210u;
    uint order = 0u;
    for (uint i = 0u; i < 4u; ++i) {
        uint at = 4u * (n % (4u - i));
        n /= 4u - i;
        uint op = left >> at & 15u;
        order |= (op == HUE_OP && hue == 0.0 ? NO_OP : op) << (4u * i);
        uint below = (1u << at) - 1u;
        left = (left & below) | (left >> 4 & ~below);
    }
    return order;
}

float around(float center, float spread, uint word) {
    precise float lowest = center - spread;
    precise float value = lowest + 2.0 * spread * philoxUniform(word);
    return value;
}

void main() {
    uint i = globalIndex();
    if (i >= images * count) return;
    uint crop = i / images;
    Crop c;
    c.image = i % images;
    uvec4 entry = table[c.image];
    uvec2 key = uvec2(params.seed_lo, params.seed_hi);
    uvec4 counter = uvec4(entry.w, params.epoch, crop, DRAW_FLAGS);

    bool global = crop < globals;
    uint size = global ? global_size : local_size;
    c.resized_w = size;
    c.resized_h = size;
    c.window_x = 0u;
    c.window_y = 0u;
    drawBox(key, counter, entry.y, entry.z,
            global ? global_scale : local_scale, global ? global_scale_span : local_scale_span, c);

    float blur = crop == 0u ? blur_first : global ? blur_second : blur_local;
    float solarize = crop == 0u ? solarize_first : global ? solarize_second : solarize_local;
    uvec4 r = philox(key, counter);
    c.flags = 0u;
    if (philoxUniform(r.x) < flip) c.flags |= FLIP;
    if (philoxUniform(r.y) < jitter) c.flags |= JITTER;
    if (philoxUniform(r.z) < gray) c.flags |= GRAY;
    if (philoxUniform(r.w) < blur) c.flags |= BLUR;
    counter.w = DRAW_ORDER;
    r = philox(key, counter);
    if (philoxUniform(r.x) < solarize) c.flags |= SOLARIZE;
    c.order = permutation(philoxBelow(r.y, 24u));
    precise float radius = 0.1 + 1.9 * philoxUniform(r.z);
    c.radius = radius;
    c.hue = around(0.0, hue, r.w);
    counter.w = DRAW_FACTORS;
    r = philox(key, counter);
    c.brightness = around(1.0, brightness, r.x);
    c.contrast = around(1.0, contrast, r.y);
    c.saturation = around(1.0, saturation, r.z);
    crops[i] = c;
}
