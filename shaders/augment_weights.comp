// Weights of Pillow's antialiased bicubic resize (a = -0.5), exact: where
// Pillow works in float64, every quantity here is a ratio of integers.
//
// Sample x of a line of `from` samples resized to `to` is the sum of the samples
// p with |t| < 2, t = ((2p+1) to - (2x+1) from) / d, d = 2 max(from, to), under
// weights cubic(t) / sum, rounded to 22 bits, halves away from zero.
//
// crops () Crop; taps (count, 2 axes, 2 + most, side) i32: first sample, number
// of samples, weights; side is the larger of the output's width and height.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "augment.glsl"
#include "wide.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Taps { int taps[]; };
layout(push_constant) uniform Push {
    uint first; // crop
    uint count; // crops
    uint width, height;
    uint most;  // taps
};

// cubic is 2 d^3 |weight| at t = n / d: 3 n^3 - 5 n^2 d + 2 d^3 inside,
// (n - d) (2 d - n)^2, to be taken negative, outside.
uvec2 cubic(uint n, uint d) {
    if (n < d) {
        return wideSub(wideMul(d * d, 2u * d), wideMul(n * n, 5u * d - 3u * n));
    }
    if (n < 2u * d) {
        return wideMul((2u * d - n) * (2u * d - n), n - d);
    }
    return uvec2(0u);
}

// fraction is 2^22 weight / sum, rounded half up. Floats guess the quotient, to
// within one or two; the remainder corrects it.
uint fraction(uvec2 weight, uvec2 sum) {
    uvec2 twice = wideShift(sum, 1u);
    uint q = uint(wideFloat(weight) / wideFloat(sum) * 4194304.0);
    uvec2 rest = wideSub(wideAdd(wideShift(weight, 23u), sum), wideScale(twice, q));
    for (uint i = 0u; i < 4u; ++i) { // of constant length, so that it is unrolled
        if ((rest.y >> 31) == 1u) {
            --q;
            rest = wideAdd(rest, twice);
        }
    }
    for (uint i = 0u; i < 4u; ++i) {
        if (!wideLess(rest, twice)) {
            ++q;
            rest = wideSub(rest, twice);
        }
    }
    return q;
}

void main() {
    uint i = globalIndex();
    uint side = max(width, height);
    uint x = i % side;
    uint line = i / side; // crop and axis
    bool vertical = (line & 1u) == 1u;
    if (line >= count * 2u || x >= (vertical ? height : width)) return;
    Crop c = crops[first + line / 2u];
    int from = int(vertical ? c.h : c.w);
    int to = int(vertical ? c.resized_h : c.resized_w);
    int at = int((vertical ? c.window_y : c.window_x) + x);

    // center -+ 2 filter widths, in units of 1 / (2 to) samples
    int center = (2 * at + 1) * from;
    int reach = 4 * max(from, to);
    uint d = uint(2 * max(from, to));
    int start = max(center - reach + to, 0) / (2 * to);
    int end = min((center + reach + to) / (2 * to), from);
    int n = min(end - start, int(most));

    uvec2 sum = uvec2(0u);
    for (int k = 0; k < n; ++k) {
        uint t = uint(abs((2 * (start + k) + 1) * to - center));
        uvec2 w = cubic(t, d);
        sum = t < d ? wideAdd(sum, w) : wideSub(sum, w);
    }
    uint base = line * (2u + most) * side + x;
    taps[base] = start;
    taps[base + side] = n;
    for (int k = 0; k < n; ++k) {
        uint t = uint(abs((2 * (start + k) + 1) * to - center));
        int q = int(fraction(cubic(t, d), sum));
        taps[base + (2u + uint(k)) * side] = t < d ? q : -q;
    }
}
