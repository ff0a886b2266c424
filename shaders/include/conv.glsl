// Convolution and its input gradient without shared memory, for processors and
// any device, as in gemm.glsl; the equation is in conv_matrices.glsl. A
// workgroup is 64 tiles.
//
// Define VEC and perhaps TEXELS.
#include "conv_matrices.glsl"

layout(local_size_x = 64) in;

void main() {
    const uint row0 = firstRow + (gl_WorkGroupID.y * (64u / TILES_X) + gl_LocalInvocationID.x / TILES_X) * 8u;
    const uint col0 = (gl_WorkGroupID.x * TILES_X + gl_LocalInvocationID.x % TILES_X) * 8u;
    if (row0 >= rows || col0 >= n) {
        return;
    }
    const uint cells = gridH * gridW;

    // Rows and columns outside the matrix repeat the last inside it.
    int pixelY[8], pixelX[8]; // of the first tap
    uint image[8];            // the image's first pixel
    uint col[8];
    for (uint i = 0u; i < 8u; ++i) {
        const uint row = min(row0 + i, rows - 1u);
        const uint cell = row % cells;
        pixelY[i] = int(cell / gridW) * step + firstY;
        pixelX[i] = int(cell % gridW) * step + firstX;
        image[i] = row / cells * (sourceH * sourceW);
        col[i] = min(col0 + i, n - 1u);
    }

    clearTile();
    for (uint v = 0u; v < tapsY; ++v) {
        for (uint u = 0u; u < tapsX; ++u) {
            const uint tap = firstTap + v * tapStepY + u * tapStepX;
            bool inside[8];
            uint start[8];
            for (uint i = 0u; i < 8u; ++i) {
                const int atY = pixelY[i] + int(v) * tapStep, atX = pixelX[i] + int(u) * tapStep;
                inside[i] = uint(atY) < sourceH && uint(atX) < sourceW; // negative ones are large
                start[i] = inside[i] ? (image[i] + uint(atY) * sourceW + uint(atX)) * pitch : 0u;
            }
            for (uint p = 0u; p < k; p += 4u) {
                const bvec4 kept = lessThan(uvec4(p) + uvec4(0, 1, 2, 3), uvec4(k));
                vec4 va[8], vb[8];
                for (uint i = 0u; i < 8u; ++i) {
                    va[i] = LOAD(source, start[i], p, k);
                    va[i] = mix(vec4(0.0), va[i], TAIL ? bvec4(uvec4(kept) * uint(inside[i])) : bvec4(inside[i]));
                    vb[i] = LOAD(w, (col[i] * kernel + tap) * k, p, k);
                    if (TAIL) {
                        vb[i] = mix(vec4(0.0), vb[i], kept);
                    }
                }
                addToTile(va, false, vb, false)
            }
        }
    }
    storeTile(uvec2(col0, row0), uvec2(4u));
}
