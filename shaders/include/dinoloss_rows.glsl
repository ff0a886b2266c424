// First pass of the DINO loss: for each row x of logits (less the center where
// has_center != 0) the numbers that make log softmax(x / temperature) of it,
//   m = max x, z = ln sum exp((x - m) / temperature),
// and the entropy of that distribution. The maximum is subtracted before the
// division, so large logits lose nothing.
// logits (rows, width); center (width); stats (…, 4) = (m, z, entropy, 0), from
// row first_stat on.
#include "common.glsl"

layout(push_constant) uniform Push { uint rows; uint width; uint first_stat; uint has_center; };
#include "rows.glsl"
ROWS_IN(0, logits)
ROWS_IN(1, center)
#define STEP_PARAMS_BINDING 2
#include "stepparams.glsl"
layout(std430, set = 0, binding = 3) writeonly buffer Stats { vec4 stats[]; };

vec4 load(uint row, uint q) {
    vec4 v = logits(row, q);
    return has_center != 0 ? v - center(0, q) : v;
}

// rescale turns sums of e = exp(x - m) and e (x - m) into those for a maximum
// that is higher by rise, in units of the temperature.
vec2 rescale(vec2 sums, float rise) {
    return exp(-rise) * vec2(sums.x, sums.y - sums.x * rise);
}

void main() {
    uint row = rowIndex();
    uint quads = row < rows ? quadCount() : 0;
    float inverse = 1 / (has_center != 0 ? params.teacher_temp : params.student_temp);

    float m = row < rows ? load(row, 0).x : 0;
    vec2 sums = vec2(0);
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 v = load(row, q);
        if (QUADS == 0) {
            v = mix(vec4(m), v, inRow(q));
        }
        float top = maxOf(v);
        if (top > m) {
            sums = rescale(sums, (top - m) * inverse);
            m = top;
        }
        vec4 d = (v - m) * inverse;
        vec4 e = exp(d) * inRow(q);
        sums += vec2(sumOf(e), sumOf(e * d));
    }
    float top = laneMax(m);
    sums = laneSum(rescale(sums, (top - m) * inverse));
    if (row < rows && lane() == 0) {
        float z = log(sums.x);
        stats[first_stat + row] = vec4(top, z, z - sums.y / sums.x, 0);
    }
}
