// Attention, backward of the queries; see attention.glsl.
//   delta_i = do_i . o_i,  ds_ij = p_ij (do_i . v_j - delta_i)
//   dq_i = hd^-1/2 sum_j ds_ij k_j
// The probabilities are computed again from lse (Dao et al., FlashAttention,
// arXiv 2205.14135, algorithm 4). dout is (T, H, hd), dqkv (T, 3, H, hd), of
// which q's third is written; delta (T, H) is left for the keys and values.
#include "attention.glsl"

INPUT(0, qkv)
INPUT(1, o)
layout(std430, set = 0, binding = 2) readonly buffer LSE { float lse[]; };
INPUT(3, dout)
INOUT(4, dqkv)
layout(std430, set = 0, binding = 5) writeonly buffer Delta { float delta[]; };

void main() {
    Part part;
    if (!findPart(part)) {
        return;
    }
    vec4 q[ROWS][HEAD];
    vec4 g[ROWS][HEAD];
    vec4 dq[ROWS][HEAD];
    float bound[ROWS]; // lse in powers of two
    float mean[ROWS];  // delta: the mean of do_i . v_j under p_i
    for (uint r = 0; r < ROWS; r++) {
        uint token = tokenOf(part, r);
        uint at = qkvAt(token, 0, part.head);
        uint outer = outAt(token, part.head);
        mean[r] = 0;
        for (uint d = 0; d < HEAD; d++) {
            q[r][d] = FETCH(qkv, at, d) * (scale * LOG2_E);
            g[r][d] = FETCH(dout, outer, d);
            dq[r][d] = vec4(0);
            mean[r] += dot(g[r][d], FETCH(o, outer, d));
        }
        bound[r] = lse[token * heads + part.head] * LOG2_E;
    }
    for (uint j = 0; j < length; j++) {
        uint atK = qkvAt(part.base + j, 1, part.head);
        uint atV = qkvAt(part.base + j, 2, part.head);
        vec4 k[HEAD];
        float s[ROWS];
        float dp[ROWS];
        for (uint r = 0; r < ROWS; r++) {
            s[r] = -bound[r];
            dp[r] = -mean[r];
        }
        for (uint d = 0; d < HEAD; d++) {
            k[d] = FETCH(qkv, atK, d);
            vec4 v = FETCH(qkv, atV, d);
            for (uint r = 0; r < ROWS; r++) {
                s[r] += dot(q[r][d], k[d]);
                dp[r] += dot(g[r][d], v);
            }
        }
        for (uint r = 0; r < ROWS; r++) {
            s[r] = exp2(s[r]) * dp[r];
        }
        for (uint d = 0; d < HEAD; d++) {
            for (uint r = 0; r < ROWS; r++) {
                dq[r][d] += s[r] * k[d];
            }
        }
    }
    for (uint r = 0; r < ROWS; r++) {
        if (part.row + r < length) {
            uint token = part.base + part.row + r;
            uint at = qkvAt(token, 0, part.head);
            for (uint d = 0; d < HEAD; d++) {
                vec4 old = accumulate != 0 ? LOAD(dqkv, at, d) : vec4(0);
                STORE(dqkv, at, d, old + scale * dq[r][d]);
            }
            delta[token * heads + part.head] = mean[r];
        }
    }
}
