// Sums of columns: sum[slot + z][j] = (+=) alpha sum_i x[i][j] over the z-th
// part of the rows; x (rows, columns) f32, sums in f32. A second dispatch over
// the parts finishes the sum in a fixed order.
//
// Define VEC, the columns that an invocation sums (1 or 4), and with VEC 4
// perhaps TEXELS, to read x through a texel buffer.
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 64) in;
INPUT(0, x);
layout(std430, set = 0, binding = 1) buffer Sum { STORED sum[]; };
layout(constant_id = 0) const bool ACCUMULATE = false;
layout(push_constant) uniform Push {
    uint rows, columns;
    uint part; // rows that one invocation sums
    uint slot; // number of the first part
    float alpha;
};

void main() {
    const uint width = columns / VEC;
    const uint parts = (rows + part - 1u) / part;
    const uint i = globalIndex();
    if (i >= parts * width) {
        return;
    }
    const uint begin = i / width * part, end = min(rows, begin + part);
    STORED s = STORED(0.0);
    for (uint r = begin; r < end; ++r) {
        s += FETCH(x, r * width + i % width);
    }
    s *= alpha;
    const uint at = slot * width + i;
    if (ACCUMULATE) {
        s += sum[at];
    }
    sum[at] = s;
}
