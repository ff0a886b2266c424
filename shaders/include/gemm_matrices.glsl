// What the forms of the matrix product share: c = epilogue(alpha op(a) op(b)),
// op(a) (m, k), op(b) (k, n), c (m, n), all row-major; op(x) is x, or the
// transpose of the stored x (so a is stored (k, m) where TRANS_A, b (n, k) where
// TRANS_B). Sums are f32.
//
// A workgroup makes a block of 8 TILES_X columns.
//
// SPLIT: the third axis of the grid cuts k into parts of `part` elements, and
// the bare sums of part z go to c as matrix slot + z, for gemm_reduce to add.
//
// Define VEC, 4 where both operands' and c's rows are multiples of 4 elements,
// and perhaps TEXELS or ONE_BY_ONE, see stored.glsl.
#include "stored.glsl"
#define EPILOGUE_BINDING 2
#include "gemm_epilogue.glsl"

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

#ifdef STORE
// storeProduct stores what a workgroup made of the element (of VEC columns) at a
// row and a column.
void storeProduct(uint row, uint col, STORED v) {
    const uint i = row * n + col;
    if (SPLIT) {
        STORE(c, ((slot + gl_WorkGroupID.z) * m * n + i) / VEC, v)
    } else {
        store(i / VEC, col / VEC, alpha * v);
    }
}
#endif
