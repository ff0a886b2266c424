// A tile of 8 x 8 sums of products that an invocation keeps in registers, and
// the loads that feed it; gemm.glsl says why.
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

// addToTile adds the products of eight elements of a column of the left
// operand with eight of a row of the right one.
void addToTile(vec4 y[2], vec4 x[2]) {
    for (uint i = 0u; i < 8u; ++i) {
        tile[i][0] = fma(vec4(y[i / 4u][i % 4u]), x[0], tile[i][0]);
        tile[i][1] = fma(vec4(y[i / 4u][i % 4u]), x[1], tile[i][1]);
    }
}

// addDots adds the products of four columns of the left operand with four rows
// of the right one: y holds its rows, x the other's columns.
void addDots(vec4 y[8], vec4 x[8]) {
    for (uint i = 0u; i < 8u; ++i) {
        for (uint j = 0u; j < 8u; ++j) {
            float sum = tile[i][j / 4u][j % 4u];
            for (uint s = 0u; s < 4u; ++s) {
                sum = fma(y[i][s], x[j][s], sum);
            }
            tile[i][j / 4u][j % 4u] = sum;
        }
    }
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
