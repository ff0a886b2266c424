// A tile of 8 x 8 sums of products that an invocation keeps in registers, and
// the loads that feed it.
//
// Define VEC and perhaps TEXELS, see stored.glsl.
#ifndef TILE_GLSL
#define TILE_GLSL

#include "stored.glsl"

// LOAD gives four elements, from `column` on, of the row of the given width
// that begins at element `start`; what it gives past the row's end doesn't
// matter.
#if VEC == 4
#define LOAD(x, start, column, width) FETCH(x, ((start) + (column)) / 4u)
#else
#define LOAD(x, start, column, width) vec4( \
    x[(start) + min((column), (width) - 1u)], \
    x[(start) + min((column) + 1u, (width) - 1u)], \
    x[(start) + min((column) + 2u, (width) - 1u)], \
    x[(start) + min((column) + 3u, (width) - 1u)])
#endif

vec4 tile[8][2];

void clearTile() {
    for (uint i = 0u; i < 8u; ++i) {
        tile[i][0] = vec4(0.0);
        tile[i][1] = vec4(0.0);
    }
}

// addToTile adds the products of four columns of the left operand with four
// rows of the right one, step by step; a sum stays in its register for all
// four. An operand that was loaded along the steps has a vector for each of its
// eight rows or columns; one loaded ACROSS has two vectors for each step.
#define STEP_OF(x, ACROSS, i, s) ((ACROSS) ? x[2u * (s) + (i) / 4u][(i) % 4u] : x[i][s])

#define addToTile(y, ACROSS_Y, x, ACROSS_X)                                                      \
    for (uint i = 0u; i < 8u; ++i) {                                                              \
        for (uint j = 0u; j < 8u; ++j) {                                                          \
            float sum = tile[i][j / 4u][j % 4u];                                                  \
            for (uint s = 0u; s < 4u; ++s) {                                                      \
                sum = fma(STEP_OF(y, ACROSS_Y, i, s), STEP_OF(x, ACROSS_X, j, s), sum);           \
            }                                                                                     \
            tile[i][j / 4u][j % 4u] = sum;                                                        \
        }                                                                                         \
    }

// tileAt is what is stored of row i from column j on, a multiple of VEC.
STORED tileAt(uint i, uint j) {
#if VEC == 4
    return tile[i][j / 4u];
#else
    return tile[i][j / 4u][j % 4u];
#endif
}

#endif
