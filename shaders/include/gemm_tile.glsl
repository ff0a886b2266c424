// The forms of the matrix product whose invocations make tiles of 8 x 8 elements
// in registers, see tile.glsl; TILES_X tiles of a workgroup lie side by side.
//
// Define VEC and perhaps TEXELS, see gemm_matrices.glsl.
#include "tile.glsl"
#include "gemm_matrices.glsl"

// storeTile stores the tile whose first four rows begin at `at`.y and the others
// so many (apart.y) rows below, its columns likewise.
void storeTile(uvec2 at, uvec2 apart) {
    for (uint i = 0u; i < 8u; ++i) {
        const uint row = at.y + i / 4u * apart.y + i % 4u;
        if (row >= m) {
            break;
        }
        for (uint j = 0u; j < 8u; j += VEC) {
            const uint col = at.x + j / 4u * apart.x + j % 4u;
            if (col >= n) {
                break;
            }
            storeProduct(row, col, tileAt(i, j));
        }
    }
}
