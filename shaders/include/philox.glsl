// Philox4x32-10, a counter-based random number generator: Salmon, Moraes, Dror
// and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
// Its mirror is gpu/ref/philox.go.
//
// The key is (seed_lo, seed_hi). The counter says what is drawn: (image id,
// epoch, crop, purpose) for augmentation, and likewise elsewhere; so a draw
// depends on nothing but its name.
#ifndef PHILOX_GLSL
#define PHILOX_GLSL

// philox returns the four random words of a counter.
uvec4 philox(uvec2 key, uvec4 counter) {
    uvec4 c = counter;
    for (uint round = 0u; round < 10u; ++round) {
        uint hi0, lo0, hi1, lo1;
        umulExtended(0xD2511F53u, c.x, hi0, lo0);
        umulExtended(0xCD9E8D57u, c.z, hi1, lo1);
        c = uvec4(hi1 ^ c.y ^ key.x, lo1, hi0 ^ c.w ^ key.y, lo0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// philoxUniform maps a word to [0, 1): its upper 24 bits, so the value is exact.
float philoxUniform(uint word) {
    return float(word >> 8) * (1.0 / 16777216.0);
}

// philoxBelow maps a word to 0..n-1, each as likely to within n/2^32.
uint philoxBelow(uint word, uint n) {
    uint hi, lo;
    umulExtended(word, n, hi, lo);
    return hi;
}

#endif
