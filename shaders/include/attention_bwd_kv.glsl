// Attention, backward of the keys and values; see attention.glsl.
//   ds_ij = p_ij (do_i . v_j - delta_i)
//   dk_j = hd^-1/2 sum_i ds_ij q_i,  dv_j = sum_i p_ij do_i
// A row here is a key, and the walk is over the queries, so that every sum
// has one owner and a fixed order. dout is (T, H, hd), dqkv (T, 3, H, hd), of
// which the thirds of k and v are written; delta (T, H) is attention_bwd_q's.
#include "attention.glsl"

INPUT(0, qkv)
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
INPUT(2, dout)
layout(std430, set = 0, binding = 3) readonly buffer Delta { float delta[]; };
INOUT(4, dqkv)

void main() {
    Part part;
    if (!findPart(part)) {
        return;
    }
    vec4 k[ROWS][HEAD];
    vec4 v[ROWS][HEAD];
    vec4 dk[ROWS][HEAD];
    vec4 dv[ROWS][HEAD];
    for (uint r = 0; r < ROWS; r++) {
        uint token = tokenOf(part, r);
        uint atK = qkvAt(token, 1, part.head);
        uint atV = qkvAt(token, 2, part.head);
        for (uint d = 0; d < HEAD; d++) {
            k[r][d] = FETCH(qkv, atK, d) * (scale * LOG2_E);
            v[r][d] = FETCH(qkv, atV, d);
            dk[r][d] = vec4(0);
            dv[r][d] = vec4(0);
        }
    }
    for (uint i = 0; i < length; i++) {
        uint token = part.base + i;
        uint at = qkvAt(token, 0, part.head);
        uint outer = outAt(token, part.head);
        float bound = lse[token * heads + part.head] * LOG2_E;
        float mean = delta[token * heads + part.head];
        vec4 q[HEAD];
        vec4 g[HEAD];
        float p[ROWS];
        float ds[ROWS];
        for (uint r = 0; r < ROWS; r++) {
            p[r] = -bound;
            ds[r] = -mean;
        }
        for (uint d = 0; d < HEAD; d++) {
            q[d] = FETCH(qkv, at, d);
            g[d] = FETCH(dout, outer, d);
            for (uint r = 0; r < ROWS; r++) {
                p[r] += dot(k[r][d], q[d]);
                ds[r] += dot(v[r][d], g[d]);
            }
        }
        for (uint r = 0; r < ROWS; r++) {
            p[r] = exp2(p[r]);
            ds[r] *= p[r];
        }
        for (uint d = 0; d < HEAD; d++) {
            for (uint r = 0; r < ROWS; r++) {
                dk[r][d] += ds[r] * q[d];
                dv[r][d] += p[r] * g[d];
            }
        }
    }
    for (uint r = 0; r < ROWS; r++) {
        if (part.row + r < length) {
            uint token = part.base + part.row + r;
            uint atK = qkvAt(token, 1, part.head);
            uint atV = qkvAt(token, 2, part.head);
            for (uint d = 0; d < HEAD; d++) {
                vec4 oldK = accumulate != 0 ? LOAD(dqkv, atK, d) : vec4(0);
                vec4 oldV = accumulate != 0 ? LOAD(dqkv, atV, d) : vec4(0);
                STORE(dqkv, atK, d, oldK + scale * dk[r][d]);
                STORE(dqkv, atV, d, oldV + dv[r][d]);
            }
        }
    }
}
