// Residual with drop path: y = x + s branch, s as in droppath.glsl.
// x, branch, y (rows, width).
#include "droppath.glsl"
ROWS_IN(1, x)
ROWS_IN(2, branch)
ROWS_OUT(3, y)

void main() {
    uint row = rowIndex();
    if (row >= rows) {
        return;
    }
    float s = factorOf(row);
    uint quads = quadCount();
    for (uint q = lane(); q < quads; q += LANES) {
        yStore(row, q, x(row, q) + s * branch(row, q));
    }
}
