// What the kernels of batch norm share. Of a matrix (rows, width), a channel a
// column,
//   y = act(z), z = xhat gamma + beta (+ residual), xhat = (x - mean) rstd.
// Include after rows.glsl.
#include "erf.glsl"

layout(constant_id = 2) const uint ACTIVATION = 0; // 1: ReLU, 2: GELU, 0: none
layout(constant_id = 3) const bool RESIDUAL = false;

// xhatOf is the normalised value.
vec4 xhatOf(vec4 x, vec4 mean, vec4 rstd) { return (x - mean) * rstd; }

// relu keeps NaN, which tells of a step that failed. It looks at the bits,
// because compilers may assume away NaN: 0 from -0 down to -infinity.
float relu(float z) { return floatBitsToUint(z) - 0x80000000u <= 0x7f800000u ? 0.0 : z; }

// activate is act(z).
vec4 activate(vec4 z) {
    if (ACTIVATION == 1) {
        return vec4(relu(z.x), relu(z.y), relu(z.z), relu(z.w));
    }
    if (ACTIVATION == 2) {
        float slope;
        return vec4(gelu(z.x, slope), gelu(z.y, slope), gelu(z.z, slope), gelu(z.w, slope));
    }
    return z;
}

// slopeOf is act'(z).
vec4 slopeOf(vec4 z) {
    if (ACTIVATION == 1) {
        return vec4(greaterThan(z, vec4(0)));
    }
    if (ACTIVATION == 2) {
        vec4 slope;
        gelu(z.x, slope.x);
        gelu(z.y, slope.y);
        gelu(z.z, slope.z);
        gelu(z.w, slope.w);
        return slope;
    }
    return vec4(1);
}
