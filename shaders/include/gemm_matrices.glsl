// What the forms of the matrix product share: c = epilogue(alpha op(a) op(b)),
// op(a) (m, k), op(b) (k, n), c (m, n), all row-major; op(x) is x, or the
// transpose of the stored x (so a is stored (k, m) where TRANS_A, b (n, k) where
// TRANS_B). Sums are f32.
//
// Every invocation makes a tile of 8 x 8 elements in registers; TILES_X tiles of
// a workgroup lie side by side.
//
// SPLIT: the third axis of the grid cuts k into parts of `part` elements, and
// the bare sums of part z go to c as matrix slot + z, for gemm_reduce to add.
//
// Define VEC, 4 where both operands' and c's rows are multiples of 4 elements,
// and perhaps TEXELS, see tile.glsl.
#include "tile.glsl"
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

// storeTile stores the tile whose first four rows begin at `at`.y and the others
// so many (apart.y) rows below, its columns likewise.
void storeTile(uvec2 at, uvec2 apart) {
    for (uint i = 0u; i < 8u; ++i) {
        const uint row = at.y + i / 4u * apart.y + i % 4u;
        if (row >= m) {
            break;
        }
        uint start = row * n;
        if (SPLIT) {
            start += (slot + gl_WorkGroupID.z) * m * n;
        }
        for (uint j = 0u; j < 8u; j += VEC) {
            const uint col = at.x + j / 4u * apart.x + j % 4u;
            if (col >= n) {
                break;
            }
            const STORED v = tileAt(i, j);
            if (SPLIT) {
                STORE(c, (start + col) / VEC, v)
            } else {
                store((start + col) / VEC, col / VEC, alpha * v);
            }
        }
    }
}
