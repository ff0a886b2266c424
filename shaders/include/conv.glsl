// Convolution and its input gradient as products of matrices that are never
// made: a row is a pixel of the output, a column one of its channels, and the
// sum runs over the taps of the kernel and the channels of the source.
//
// Forward, from the source x (N, H, W, k) to the output y (N, outH, outW, n):
//   y[b, i, j, o] = sum_{v, u, c} x[b, i stride - pad + v, j stride - pad + u, c] w[o, v, u, c]
// Backward, from the source dy (N, H, W, k) to the output dx (N, outH, outW, n):
//   dx[b, i, j, c] = sum_{v, u, o} dy[b, (i + pad - v) / stride, (j + pad - u) / stride, o] w[c, v, u, o]
// over the taps where the division leaves no rest. Which those are repeats
// every `stride` pixels, so a dispatch makes one such phase of the output: the
// pixels (outStep i + outY, outStep j + outX) of its grid of positions (i, j).
//
// w (n, kernel, k). All f32, summed in f32. A tile's rows may lie in different
// images; a tap outside the source counts as zero. A tap may be several pixels
// that lie together in memory: k is then a multiple of `pitch`, the floats of a
// pixel.
//
// Define VEC and perhaps TEXELS, see tile.glsl.
#include "tile.glsl"

layout(local_size_x = 64) in;
INPUT(0, source);
INPUT(1, w);
layout(std430, set = 0, binding = 2) buffer Y { STORED y[]; };
layout(constant_id = 0) const bool ACCUMULATE = false;
layout(constant_id = 1) const uint TILES_X = 8;
layout(constant_id = 2) const bool TAIL = true; // k is no multiple of 4
layout(push_constant) uniform Push {
    uint firstRow, rows;           // the dispatch's first position, those of all images
    uint gridH, gridW;             // positions of an image
    uint sourceH, sourceW, pitch, k; // the source and its channels
    uint outH, outW, n;            // the output and its channels
    uint outStep, outY, outX;      // where a position lies in the output
    int step, firstY, firstX;      // the first tap of position (i, j) reads the source's pixel (step i + firstY, …)
    int tapStep;                   // and the next one the pixel so much further
    uint tapsY, tapsX;             // of this phase
    uint firstTap, tapStepY, tapStepX; // their numbers among the kernel's
    uint kernel;                   // taps of the whole kernel
};

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

    for (uint i = 0u; i < 8u; ++i) {
        const uint row = row0 + i;
        if (row >= rows) {
            break;
        }
        const uint cell = row % cells;
        const uint outAtY = cell / gridW * outStep + outY, outAtX = cell % gridW * outStep + outX;
        const uint at = ((row / cells * outH + outAtY) * outW + outAtX) * n;
        for (uint j = 0u; j < 8u; j += VEC) {
            if (col0 + j >= n) {
                break;
            }
            const uint to = (at + col0 + j) / VEC;
            y[to] = ACCUMULATE ? y[to] + tileAt(i, j) : tileAt(i, j);
        }
    }
}
