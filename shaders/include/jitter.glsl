// Colour jitter on 8-bit pixels, exactly as Pillow and torchvision round it.
#ifndef JITTER_GLSL
#define JITTER_GLSL
#include "augment.glsl"

// luma is the luminance of ITU-R 601-2 in 16-bit fixed point.
int luma(ivec3 c) {
    return (19595 * c.r + 38470 * c.g + 7471 * c.b + 32768) >> 16;
}

// blend moves the samples from `plain` (factor 0) through themselves (factor 1).
ivec3 blend(int plain, ivec3 c, float factor) {
    precise vec3 product = factor * vec3(c - plain);
    precise vec3 v = float(plain) + product;
    return ivec3(clamp(v, 0.0, 255.0));
}

// quotient is a / b, for a < 2^23 and b > 0; floats guess, the remainder corrects.
int quotient(int a, int b) {
    int q = int(float(a) / float(b));
    int rest = a - q * b;
    return rest < 0 ? q - 1 : rest >= b ? q + 1 : q;
}

// The hues n for which 255 hue = n exactly, but which Pillow's float32 steps
// put just below n. Bit n of a table of 256 bits.
const uint HUE_BELOW[8] = uint[8](
    0xfffffffeu, 0x00000000u, 0x11000000u, 0x00000111u,
    0x222aaaaau, 0x23232222u, 0x00022222u, 0x00000000u);

// toHSV is Pillow's 8-bit HSV, of which hue and saturation are truncated.
ivec3 toHSV(ivec3 c) {
    int high = max(c.r, max(c.g, c.b));
    int span = high - min(c.r, min(c.g, c.b));
    if (span == 0) return ivec3(0, 0, high);
    int turn = c.r == high ? c.g - c.b
             : c.g == high ? 2 * span + c.b - c.r
                           : 4 * span + c.r - c.g; // 6 span hue
    if (turn < 0) turn += 6 * span;
    int hue = quotient(255 * turn, 6 * span);
    if (hue * 6 * span == 255 * turn && (HUE_BELOW[hue >> 5] >> (hue & 31) & 1u) == 1u) --hue;
    return ivec3(hue, quotient(255 * span, high), high);
}

// fromHSV is Pillow's way back, rounding half up.
ivec3 fromHSV(ivec3 hsv) {
    const int one = 65025; // 255^2
    int h = hsv.x, s = hsv.y, v = hsv.z;
    int sector = 6 * h / 255;
    int f = 6 * h - 255 * sector;
    ivec3 share = one - s * ivec3(255, f, 255 - f);
    ivec3 r = (2 * v * share + one) / (2 * one);
    int low = r.x, down = r.y, up = r.z;
    switch (sector) {
    case 1: return ivec3(down, v, low);
    case 2: return ivec3(low, v, up);
    case 3: return ivec3(low, down, v);
    case 4: return ivec3(up, low, v);
    case 5: return ivec3(v, low, down);
    }
    return ivec3(v, up, low); // sectors 0 and 6
}

// hueSteps is 255 factor truncated: in float32 the product may round up to an
// integer that it has not reached, which the exact error of 256 f - f shows.
int hueSteps(float factor) {
    precise float f = abs(factor);
    precise float big = 256.0 * f;
    precise float product = big - f;
    precise float error = (big - product) - f;
    int steps = int(product);
    if (float(steps) == product && error < 0.0) --steps;
    return factor < 0.0 ? -steps : steps;
}

ivec3 turned(ivec3 c, float factor) {
    ivec3 hsv = toHSV(c);
    hsv.x = (hsv.x + hueSteps(factor)) & 255;
    return fromHSV(hsv);
}

// turnOf says when an operation has its turn, 4 if never.
uint turnOf(uint order, uint op) {
    uint at = 4u;
    for (uint i = 0u; i < 4u; ++i) {
        if ((order >> (4u * i) & 15u) == op) at = i;
    }
    return at;
}

// blended applies the operations from..to-1 of the order, none of them hue.
ivec3 blended(ivec3 c, Crop p, uint from, uint to, int mean) {
    for (uint i = 0u; i < 4u; ++i) { // of constant length, so that it is unrolled
        uint op = i >= from && i < to ? p.order >> (4u * i) & 15u : NO_OP;
        int plain = op == CONTRAST_OP ? mean : op == SATURATION_OP ? luma(c) : 0;
        float factor = op == BRIGHTNESS_OP ? p.brightness : op == CONTRAST_OP ? p.contrast
                     : op == SATURATION_OP ? p.saturation : 1.0; // 1 changes nothing
        c = blend(plain, c, factor);
    }
    return c;
}

// jittered applies the first n operations; mean is the mean luminance that
// contrast turns about. Hue stands outside the loops because it is dear.
ivec3 jittered(ivec3 c, Crop p, uint n, int mean) {
    uint hueAt = min(turnOf(p.order, HUE_OP), n);
    c = blended(c, p, 0u, hueAt, mean);
    if (hueAt < n) {
        c = turned(c, p.hue);
        c = blended(c, p, hueAt + 1u, n, mean);
    }
    return c;
}

#endif
