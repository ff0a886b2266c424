// z = x y, elementwise.
// z, x, y (n).
//
// Define VEC, the elements that an invocation does (1 or 4).
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 256) in;
OUTPUT(0, z);
INPUT(1, x);
INPUT(2, y);
layout(push_constant) uniform Push { uint n; };

void main() {
    const uint i = globalIndex();
    if (i < n / VEC) {
        STORE(z, i, FETCH(x, i) * FETCH(y, i))
    }
}
