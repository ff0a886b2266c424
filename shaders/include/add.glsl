// y += x, elementwise.
// y, x (n).
//
// Define VEC, the elements that an invocation does (1 or 4).
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 256) in;
INOUT(0, y);
INPUT(1, x);
layout(push_constant) uniform Push { uint n; };

void main() {
    const uint i = globalIndex();
    if (i < n / VEC) {
        STORE(y, i, FETCH_ALSO(y, i) + FETCH(x, i))
    }
}
