// What becomes of an element of a matrix product before it is stored, in this
// order, every part but the first being optional:
//   v = alpha * product + bias[column]
//   slope[i] = gelu'(v), v = gelu(v)
//   v = v * factor[i] + residual[i] + c[i]
// c, slope, factor and residual are (m, n) row-major.
//
// Define EPILOGUE_BINDING, the number of the first of five bindings, and VEC,
// the number of columns that are handled at once (1 or 4; n is a multiple), and
// perhaps TEXELS or ONE_BY_ONE, see stored.glsl.
#include "stored.glsl"
#include "erf.glsl"

INOUT(EPILOGUE_BINDING, c);
OUTPUT(EPILOGUE_BINDING + 1, slope);
INPUT(EPILOGUE_BINDING + 2, bias);
INPUT(EPILOGUE_BINDING + 3, factor);
INPUT(EPILOGUE_BINDING + 4, residual);

layout(constant_id = 0) const bool BIAS = false;
layout(constant_id = 1) const bool GELU = false;
layout(constant_id = 2) const bool SLOPE = false;
layout(constant_id = 3) const bool FACTOR = false;
layout(constant_id = 4) const bool RESIDUAL = false;
layout(constant_id = 5) const bool ACCUMULATE = false;

#if VEC == 4
vec4 geluStored(vec4 x, out vec4 d) {
    if (IS_WIDE(c)) {
        return vec4(gelu(x.x, d.x), gelu(x.y, d.y), gelu(x.z, d.z), gelu(x.w, d.w));
    }
    return vec4(geluRounded(x.x, d.x), geluRounded(x.y, d.y), geluRounded(x.z, d.z), geluRounded(x.w, d.w));
}
#elif defined(ONE_BY_ONE)
float geluStored(float x, out float d) {
    if (IS_WIDE(c)) {
        return gelu(x, d);
    }
    return geluRounded(x, d);
}
#else
float geluStored(float x, out float d) { return gelu(x, d); }
#endif

// epilogue is what becomes of v = alpha * product, element i (of VEC columns) in
// column j; d is GELU's derivative.
STORED epilogue(uint i, uint j, STORED v, out STORED d) {
    if (BIAS) {
        v += FETCH(bias, j);
    }
    if (GELU) {
        v = geluStored(v, d);
    }
    if (FACTOR) {
        v *= FETCH(factor, i);
    }
    if (RESIDUAL) {
        v += FETCH(residual, i);
    }
    if (ACCUMULATE) {
        v += FETCH_ALSO(c, i);
    }
    return v;
}

#ifdef STORE
void store(uint i, uint j, STORED v) {
    STORED d;
    v = epilogue(i, j, v, d);
    if (SLOPE) {
        STORE(slope, i, d)
    }
    STORE(c, i, v)
}
#endif
