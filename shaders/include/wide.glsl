// 64-bit unsigned integers as uvec2(low, high), for devices without them. Carries are
// compared for: with subgroups of sixteen Mesa 26.2's llvmpipe writes beyond its stack
// where lanes pack 64 bits, as it does for uaddCarry.
#ifndef WIDE_GLSL
#define WIDE_GLSL

uvec2 wideAdd(uvec2 a, uvec2 b) {
    uint lo = a.x + b.x;
    return uvec2(lo, a.y + b.y + (lo < a.x ? 1u : 0u));
}

uvec2 wideSub(uvec2 a, uvec2 b) {
    return uvec2(a.x - b.x, a.y - b.y - (a.x < b.x ? 1u : 0u));
}

uvec2 wideMul(uint a, uint b) {
    uint hi, lo;
    umulExtended(a, b, hi, lo);
    return uvec2(lo, hi);
}

// wideScale is a * b modulo 2^64.
uvec2 wideScale(uvec2 a, uint b) {
    uvec2 p = wideMul(a.x, b);
    return uvec2(p.x, p.y + a.y * b);
}

// wideShift is a << n modulo 2^64, 0 < n < 32.
uvec2 wideShift(uvec2 a, uint n) {
    return uvec2(a.x << n, a.y << n | a.x >> (32u - n));
}

bool wideLess(uvec2 a, uvec2 b) {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

float wideFloat(uvec2 a) {
    return float(a.y) * 4294967296.0 + float(a.x);
}

#endif
