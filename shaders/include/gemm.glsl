// Matrix product without shared memory, barriers or subgroups: on processors,
// where a load takes many instructions for every invocation, tiles from
// registers alone are by far the quickest, and any device can run it. The
// equation is in gemm_matrices.glsl. A workgroup is 64 tiles.
//
// Define VEC and perhaps TEXELS; they make llvmpipe two to three times as fast.
#include "gemm_tile.glsl"

layout(local_size_x = 64) in;

void main() {
    const uint row0 = (gl_WorkGroupID.y * (64u / TILES_X) + gl_LocalInvocationID.x / TILES_X) * 8u;
    const uint col0 = (gl_WorkGroupID.x * TILES_X + gl_LocalInvocationID.x % TILES_X) * 8u;
    if (row0 >= m || col0 >= n) {
        return;
    }
    const uint begin = gl_WorkGroupID.z * part;
    const uint end = min(k, begin + part);

    // Rows and columns outside the matrix repeat the last inside it; the four
    // columns of a load lie on the same side of its edge where VEC is 4.
    uint row[8], col[8];
    for (uint i = 0u; i < 8u; ++i) {
        row[i] = min(row0 + i, m - 1u);
        col[i] = min(col0 + i, n - 1u);
    }
    const uint rowLast = (m - 1u) / 4u * 4u, colLast = (n - 1u) / 4u * 4u;
    const uvec2 row4 = uvec2(min(row0, rowLast), min(row0 + 4u, rowLast));
    const uvec2 col4 = uvec2(min(col0, colLast), min(col0 + 4u, colLast));

    clearTile();
    for (uint p = begin; p < end; p += 4u) {
        // A loaded vector lies along k unless the operand is stored with k as
        // its row.
        const bvec4 inside = lessThan(uvec4(p) + uvec4(0, 1, 2, 3), uvec4(end));
        vec4 va[8], vb[8];
        for (uint i = 0u; i < 8u; ++i) {
            const uint q = TAIL ? min(p + i / 2u, k - 1u) : p + i / 2u;
            va[i] = TRANS_A ? LOAD(a, q * m, row4[i % 2u], m) : LOAD(a, row[i] * k, p, k);
            vb[i] = TRANS_B ? LOAD(b, col[i] * k, p, k) : LOAD(b, q * n, col4[i % 2u], n);
            if (TAIL) {
                va[i] = mix(vec4(0.0), va[i], TRANS_A ? bvec4(inside[i / 2u]) : inside);
                vb[i] = mix(vec4(0.0), vb[i], TRANS_B ? inside : bvec4(inside[i / 2u]));
            }
        }
        addToTile(va, TRANS_A, vb, !TRANS_B)
    }
    storeTile(uvec2(col0, row0), uvec2(4u));
}
