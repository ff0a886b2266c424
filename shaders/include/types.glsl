// Elements of 16 bits beside those of 32 (gpu.Type). They are read and written
// four at a time, as two words, so that any device can; what is computed is
// float32.
//
// TYPED declares the specialization constant NAME_TYPE that says what a buffer
// holds; gpu.Graph sets it from the tensor that is bound.
#ifndef TYPES_GLSL
#define TYPES_GLSL

#define TYPED(BINDING, NAME) layout(constant_id = 100 + BINDING) const uint NAME##_TYPE = 0u
#define IS_WIDE(NAME) (NAME##_TYPE < 3u)
const uint F16 = 3u, BF16 = 4u;

vec4 widen(uint type, uvec2 x) {
    if (type == F16) {
        return vec4(unpackHalf2x16(x.x), unpackHalf2x16(x.y));
    }
    return uintBitsToFloat(uvec4(x.x << 16, x.x & 0xffff0000u, x.y << 16, x.y & 0xffff0000u));
}

// bfloat rounds to the nearest number of 16 bits, to even where two are as near;
// what is not a number stays so.
uvec4 bfloat(vec4 v) {
    const uvec4 x = floatBitsToUint(v);
    const uvec4 rounded = (x + 0x7fffu + (x >> 16 & 1u)) >> 16;
    return mix(rounded, x >> 16 | 0x40u, greaterThan(x & 0x7fffffffu, uvec4(0x7f800000u)));
}

// half is the same for the IEEE's 16 bits, with integers alone: GLSL leaves the
// rounding of packHalf2x16 to the device. Numbers too large become infinite.
uvec4 halfFloat(vec4 v) {
    const uvec4 x = floatBitsToUint(v), sign = x >> 16 & 0x8000u, size = x & 0x7fffffffu;
    // From 2^-14 on a number keeps its upper bits; below, adding 1/2 aligns it.
    const uvec4 normal = (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
    const uvec4 small = floatBitsToUint(uintBitsToFloat(size) + 0.5) - 0x3f000000u;
    uvec4 r = mix(normal, small, lessThan(size, uvec4(0x38800000u)));
    r = mix(r, uvec4(0x7c00u), greaterThanEqual(size, uvec4(0x477ff000u)));
    r = mix(r, uvec4(0x7e00u), greaterThan(size, uvec4(0x7f800000u)));
    return sign | r;
}

uvec2 narrow(uint type, vec4 v) {
    const uvec4 x = type == F16 ? halfFloat(v) : bfloat(v);
    return x.xz | x.yw << 16;
}

#endif
