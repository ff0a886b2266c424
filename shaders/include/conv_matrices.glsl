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
// Every invocation makes a tile of 8 x 8 elements in registers; TILES_X tiles of
// a workgroup lie side by side.
//
// Define VEC and perhaps TEXELS, see tile.glsl.
#include "tile.glsl"

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

// storeTile stores the tile whose first four rows begin at `at`.y and the others
// so many (apart.y) rows below, its columns likewise.
void storeTile(uvec2 at, uvec2 apart) {
    const uint cells = gridH * gridW;
    for (uint i = 0u; i < 8u; ++i) {
        const uint row = at.y + i / 4u * apart.y + i % 4u;
        if (row >= rows) {
            break;
        }
        const uint cell = row % cells;
        const uint outAtY = cell / gridW * outStep + outY, outAtX = cell % gridW * outStep + outX;
        const uint start = ((row / cells * outH + outAtY) * outW + outAtX) * n;
        for (uint j = 0u; j < 8u; j += VEC) {
            const uint col = at.x + j / 4u * apart.x + j % 4u;
            if (col >= n) {
                break;
            }
            const uint to = (start + col) / VEC;
            y[to] = ACCUMULATE ? y[to] + tileAt(i, j) : tileAt(i, j);
        }
    }
}
