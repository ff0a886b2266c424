// What both passes of the loss for llvmpipe share: exp(x) for x <= 0, or NaN.
#include "erf.glsl"
float expOf(float x) { return isnan(x) ? x : expNegative(x); }
vec4 expOf(vec4 x) { return vec4(expOf(x.x), expOf(x.y), expOf(x.z), expOf(x.w)); }
