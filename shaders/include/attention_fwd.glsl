// Attention, forward: o and lse from qkv; see attention.glsl.
// Softmax runs online over blocks of KEYS keys (Milakov and Gimelshein, arXiv
// 1805.02867): a new maximum rescales what is summed so far. All in f32.
#include "attention.glsl"

layout(constant_id = 2) const uint KEYS = 2;

INPUT(0, qkv)
OUTPUT(1, o)
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

void main() {
    Part part;
    if (!findPart(part)) {
        return;
    }
    vec4 q[ROWS][HEAD];
    vec4 sum[ROWS][HEAD];
    float top[ROWS];   // maximum of the scores so far, in powers of two
    float total[ROWS]; // sum of exp2(score - top)
    for (uint r = 0; r < ROWS; r++) {
        uint at = qkvAt(tokenOf(part, r), 0, part.head);
        for (uint d = 0; d < HEAD; d++) {
            q[r][d] = FETCH(qkv, at, d) * (scale * LOG2_E);
            sum[r][d] = vec4(0);
        }
        top[r] = LOWEST;
        total[r] = 0;
    }
    for (uint j = 0; j < length; j += KEYS) {
        float p[KEYS][ROWS];
        for (uint i = 0; i < KEYS; i++) {
            for (uint r = 0; r < ROWS; r++) {
                p[i][r] = 0;
            }
            uint at = qkvAt(part.base + min(j + i, length - 1), 1, part.head);
            for (uint d = 0; d < HEAD; d++) {
                vec4 k = FETCH(qkv, at, d);
                for (uint r = 0; r < ROWS; r++) {
                    p[i][r] += dot(q[r][d], k);
                }
            }
        }
        for (uint r = 0; r < ROWS; r++) {
            float high = top[r];
            for (uint i = 0; i < KEYS; i++) {
                p[i][r] = j + i < length ? p[i][r] : LOWEST;
                high = max(high, p[i][r]);
            }
            float shrink = exp2(top[r] - high);
            top[r] = high;
            total[r] *= shrink;
            for (uint i = 0; i < KEYS; i++) {
                p[i][r] = exp2(p[i][r] - high);
                total[r] += p[i][r];
            }
            for (uint d = 0; d < HEAD; d++) {
                sum[r][d] *= shrink;
            }
        }
        for (uint i = 0; i < KEYS; i++) {
            uint at = qkvAt(part.base + min(j + i, length - 1), 2, part.head);
            for (uint d = 0; d < HEAD; d++) {
                vec4 v = FETCH(qkv, at, d);
                for (uint r = 0; r < ROWS; r++) {
                    sum[r][d] += p[i][r] * v;
                }
            }
        }
    }
    for (uint r = 0; r < ROWS; r++) {
        if (part.row + r < length) {
            uint token = part.base + part.row + r;
            float inverse = 1 / total[r];
            uint at = outAt(token, part.head);
            for (uint d = 0; d < HEAD; d++) {
                STORE(o, at, d, sum[r][d] * inverse);
            }
            lse[token * heads + part.head] = (top[r] + log2(total[r])) / LOG2_E;
        }
    }
}
