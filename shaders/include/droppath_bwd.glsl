// Gradient of the residual's branch: dbranch = s dy, s as in droppath.glsl.
// dy, dbranch (rows, width).
#include "droppath.glsl"
ROWS_IN(1, dy)
ROWS_INOUT(2, dbranch)

void main() {
    uint row = rowIndex();
    if (row >= rows) {
        return;
    }
    float s = factorOf(row);
    uint quads = quadCount();
    for (uint q = lane(); q < quads; q += LANES) {
        vec4 d = s * dy(row, q);
        if (accumulate != 0) {
            d += dbranch(row, q);
        }
        dbranchStore(row, q, d);
    }
}
