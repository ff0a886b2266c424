// Pillow's GaussianBlur along one line: three extended box blurs, rounded to
// 8 bits after each, the edge samples repeated for each. One invocation makes
// STRIP samples of the line.
#ifndef BLUR_GLSL
#define BLUR_GLSL
#include "augment.glsl"

const int STRIP = 8;
const int REACH = 2;           // of one box
const int MARGIN = 3 * REACH;  // of three
const int SPAN = STRIP + 2 * MARGIN;

// boxBlur filters v in place; v[k] is sample start + k of a line of n samples.
// Each pass leaves REACH fewer good samples at either end.
void boxBlur(inout ivec3 v[SPAN], uvec3 box, int start, int n) {
    bool wide = box.x == 1u;
    for (int pass = 1; pass <= 3; ++pass) {
        ivec3 a = v[0], b = v[1], c = v[2], d = v[3];
        for (int k = REACH; k < SPAN - REACH; ++k) {
            ivec3 e = v[k + REACH];
            ivec3 inner = wide ? b + c + d : c;
            ivec3 outer = wide ? a + e : b + d;
            v[k] = ivec3((box.y * uvec3(inner) + box.z * uvec3(outer) + (1u << 23)) >> 24);
            a = b;
            b = c;
            c = d;
            d = e;
        }
        // The next pass sees this one's edge samples repeated.
        for (int k = SPAN - 2; k >= 0; --k) {
            if (start + k < 0) v[k] = v[k + 1];
        }
        for (int k = 1; k < SPAN; ++k) {
            if (start + k >= n) v[k] = v[k - 1];
        }
    }
}

#endif
