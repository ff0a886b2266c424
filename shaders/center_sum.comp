#version 450
// Column sums of the teacher's logits: sum_k = sum over rows of logits_k.
// An invocation adds the rows of one quad of columns in order.
// logits (rows, width); sum (width), added to where accumulate != 0.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint accumulate; };
#include "rows.glsl"
ROWS_IN(0, logits)
ROWS_INOUT(1, sum)

void main() {
    uint q = gl_GlobalInvocationID.x;
    if (q >= quadCount()) {
        return;
    }
    vec4 s = vec4(0);
    for (uint row = 0; row < rows; row++) {
        s += logits(row, q);
    }
    sumStore(0, q, accumulate != 0 ? sum(0, q) + s : s);
}
