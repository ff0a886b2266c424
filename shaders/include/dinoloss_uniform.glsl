// What both passes of the loss for llvmpipe share. They count in powers of two: there
// x LOG2_E is the exponent of what has x as that of e.
const float LOG2_E = 1.44269504, LN_2 = 0.693147181;

// exp2OfNegative is 2^x for finite x <= 0 to 2.3 units in the last place, 0 below
// -126.5; NaN of NaN and -Inf. The polynomial is fitted to 2^r on |r| <= 1/2 with
// relative error 1e-7.
vec4 exp2OfNegative(vec4 x) {
    // Adding 1.5 2^23 + 127 rounds to a whole number n and leaves n + 127 in the lowest
    // bits, which are the exponent of 2^n: llvmpipe converts to integers lane by lane.
    const float MAGIC = 12583039.0;
    precise vec4 shifted = x + MAGIC;
    precise vec4 r = x - (shifted - MAGIC);
    vec4 p = vec4(1.32647273e-3);
    p = fma(p, r, vec4(9.67151299e-3));
    p = fma(p, r, vec4(5.55073358e-2));
    p = fma(p, r, vec4(0.240222424));
    p = fma(p, r, vec4(0.693147004));
    p = fma(p, r, vec4(1.0));
    // The maximum of whole numbers makes 0 of what is below: one of floats minds NaN.
    return p * intBitsToFloat(max(floatBitsToInt(shifted), ivec4(floatBitsToInt(MAGIC - 127.0))) << 23);
}
