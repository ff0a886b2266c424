// Matrix product: c = epilogue(alpha op(a) op(b)), op(a) (m, k), op(b) (k, n),
// c (m, n), all row-major f32; op(x) is x, or the transpose of the stored x
// (so a is stored (k, m) where TRANS_A, b (n, k) where TRANS_B). Sums are f32.
//
// Every invocation makes a tile of 8 x 8 elements from registers, without
// shared memory, barriers or subgroups: on processors, where a load takes many
// instructions for every invocation, that is by far the quickest, and any
// device can run it. A workgroup is 64 tiles, TILES_X of them side by side.
//
// SPLIT: the third axis of the grid cuts k into parts of `part` elements, and
// the bare sums of part z go to c as matrix slot + z, for gemm_reduce to add.
//
// Define VEC, 4 where both operands' and c's rows are multiples of 4 elements,
// and perhaps TEXELS, see tile.glsl; they make llvmpipe two to three times as
// fast.
#include "tile.glsl"
#define EPILOGUE_BINDING 2
#include "gemm_epilogue.glsl"

layout(local_size_x = 64) in;
INPUT(0, a);
INPUT(1, b);
layout(constant_id = 6) const bool TRANS_A = false;
layout(constant_id = 7) const bool TRANS_B = false;
layout(constant_id = 8) const bool SPLIT = false;
layout(constant_id = 9) const uint TILES_X = 8;
layout(constant_id = 10) const bool TAIL = true; // k or part is no multiple of 4
layout(push_constant) uniform Push {
    uint m, n, k;
    uint part; // elements of k that one workgroup sums, a multiple of 4
    uint slot; // SPLIT: the number of the first part
    float alpha;
};

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

    for (uint i = 0u; i < 8u; ++i) {
        if (row0 + i >= m) {
            break;
        }
        uint at = (row0 + i) * n;
        if (SPLIT) {
            at += (slot + gl_WorkGroupID.z) * m * n;
        }
        for (uint j = 0u; j < 8u; j += VEC) {
            if (col0 + j >= n) {
                break;
            }
            const STORED v = tileAt(i, j);
            if (SPLIT) {
                c[(at + col0 + j) / VEC] = v;
            } else {
                store((at + col0 + j) / VEC, (col0 + j) / VEC, alpha * v);
            }
        }
    }
}
