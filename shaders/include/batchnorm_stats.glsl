// First stage of a batch's statistics: of each chunk of 64 rows of x the mean
// and the sum of squares about it, by channel. What is added up is the distance
// from the chunk's first row, so that a large mean costs no digits.
// x (rows, width); parts (chunks, 2, width).
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint first_chunk; };
#include "rows.glsl"
ROWS_IN(0, x)
ROWS_OUT(1, parts)

const uint CHUNK = 64;

void main() {
    uint i = globalIndex();
    uint chunk = i / quadCount(), q = i % quadCount();
    uint first = chunk * CHUNK, end = min(first + CHUNK, rows);
    if (first >= rows) {
        return;
    }
    vec4 shift = x(first, q);
    vec4 sum = vec4(0), square = vec4(0);
    for (uint row = first + 1; row < end; row++) {
        vec4 d = x(row, q) - shift;
        sum += d;
        square += d * d;
    }
    vec4 mean = sum / float(end - first);
    uint at = 2 * (first_chunk + chunk);
    partsStore(at, q, shift + mean);
    partsStore(at + 1, q, max(square - sum * mean, vec4(0)));
}
