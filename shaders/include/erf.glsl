// The normal distribution and GELU, y = x Phi(x) (Hendrycks and Gimpel,
// arXiv 1606.08415), the exact form and not the tanh approximation.
//
// GLSL has no erf. With z = |x| / sqrt(2), Phi(-|x|) = erfc(z) / 2 and
// erfc(z) = exp(-z^2) t P(t), t = 1 / (1 + 0.3 z), as in Abramowitz and Stegun
// 7.1.26; P is a polynomial of degree 8 fitted to t P(t) = erfcx(z) on
// 0 <= z <= 10 with relative error 2e-8. In float32 Phi then has a relative
// error below 6e-7 down to Phi(-6) and below 1e-7 for x >= 0: no cancellation
// as in (1 + erf) / 2.
#ifndef ERF_GLSL
#define ERF_GLSL

// expNegative is exp(x) for x <= 0 to 2 units in the last place on every
// driver (Vulkan allows exp 3 + 2|x|); 0 below -87.
float expNegative(float x) {
    // Adding 1.5 2^23 rounds to a whole number n and leaves it in the lowest bits:
    // llvmpipe converts to integers lane by lane.
    precise float shifted = max(x, -87.0) * 1.44269504 + 12582912.0;
    precise float n = shifted - 12582912.0;
    float r = fma(n, -0.693359375, max(x, -87.0)); // ln 2 in two parts
    r = fma(n, 2.12194440e-4, r);
    float p = 1.0 / 5040.0;
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    p = fma(p, r, 1.0);
    p = fma(p, r, 1.0);
    // Times 2^n; n >= -126, so this is a normal number.
    return x < -87.0 ? 0.0 : p * uintBitsToFloat((floatBitsToUint(shifted) + 127u) << 23);
}

// normalCDF is Phi(x); bell is exp(-x^2 / 2), which the density needs too.
float normalCDF(float x, out float bell) {
    bell = expNegative(-0.5 * x * x);
    float t = 1.0 / fma(0.3 * 0.707106781, abs(x), 1.0);
    float p = -0.12952277;
    p = fma(p, t, 0.48556257);
    p = fma(p, t, -0.51227677);
    p = fma(p, t, 0.54771858);
    p = fma(p, t, -0.0946497395);
    p = fma(p, t, 0.214925647);
    p = fma(p, t, 0.148339272);
    p = fma(p, t, 0.170715213);
    p = fma(p, t, 0.169188008);
    float tail = 0.5 * bell * p * t;
    return x < 0.0 ? tail : 1.0 - tail;
}

// gelu is x Phi(x); slope is its derivative, Phi(x) + x phi(x).
float gelu(float x, out float slope) {
    float bell;
    float phi = normalCDF(x, bell);
    slope = fma(x * 0.398942280, bell, phi);
    return x * phi;
}

// geluRounded is gelu for results that are rounded to 16 bits: by the device's own
// exp2, and erfc's polynomial of degree 4 for t = 1 / (1 + 0.35 z), which has a
// relative error of 1.6e-5 on 0 <= z <= 5, a thirtieth of float16's rounding.
float geluRounded(float x, out float slope) {
    const float bell = exp2(-0.72134752 * x * x);
    const float t = 1.0 / fma(0.35 * 0.707106781, abs(x), 1.0);
    float p = 0.5415085;
    p = fma(p, t, -0.31736563);
    p = fma(p, t, 0.4394464);
    p = fma(p, t, 0.13248727);
    p = fma(p, t, 0.20393914);
    const float tail = 0.5 * bell * p * t;
    const float phi = x < 0.0 ? tail : 1.0 - tail;
    slope = fma(x * 0.398942280, bell, phi);
    return x * phi;
}

#endif
