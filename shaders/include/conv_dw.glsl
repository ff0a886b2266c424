// Weight gradient of a convolution as a product of matrices that are never
// made: a row is one of the m output channels, a column one of the n = kernel k
// weights of such a channel, and the sum runs over the pixels of dy.
//   parts[slot + z, o, (v, u, c)] = sum_{b, i, j} dy[b, i, j, o] x[b, i stride - pad + v, j stride - pad + u, c]
// over the z-th part of the lines (b, i); x (N, H, W, k), dy (N, outH, outW, m),
// parts (slots, m, kernel, k), f32, summed in f32. Pixels outside x are zero.
// Another kernel adds the parts in order.
//
// Define VEC and perhaps TEXELS, see tile.glsl.
#include "tile.glsl"

layout(local_size_x = 64) in;
INPUT(0, dy);
INPUT(1, x);
layout(std430, set = 0, binding = 2) writeonly buffer Parts { STORED parts[]; };
layout(constant_id = 0) const uint TILES_X = 8;
layout(push_constant) uniform Push {
    uint lines, part; // of dy's images, and of one workgroup
    uint slot;        // the number of the first part
    uint outH, outW, m;
    uint h, w, pitch, k; // k is a multiple of pitch where a tap is several pixels, see conv_matrices.glsl
    uint kernel, kernelW;
    uint stride;
    int pad;
};

const uint GROUPS = 8u / VEC; // columns that are loaded together share a tap

void main() {
    const uint row0 = (gl_WorkGroupID.y * (64u / TILES_X) + gl_LocalInvocationID.x / TILES_X) * 8u;
    const uint col0 = (gl_WorkGroupID.x * TILES_X + gl_LocalInvocationID.x % TILES_X) * 8u;
    const uint n = kernel * k;
    if (row0 >= m || col0 >= n) {
        return;
    }
    const uint begin = gl_WorkGroupID.z * part;
    const uint end = min(lines, begin + part);

    // Rows and columns outside the matrix repeat the last inside it.
    const uint rowLast = (m - 1u) / 4u * 4u;
    const uvec2 row4 = uvec2(min(row0, rowLast), min(row0 + 4u, rowLast));
    int tapY[GROUPS], tapX[GROUPS];
    uint channel[GROUPS];
    for (uint j = 0u; j < GROUPS; ++j) {
        const uint col = min(col0 + j * VEC, n - VEC);
        tapY[j] = int(col / k / kernelW) - pad;
        tapX[j] = int(col / k % kernelW) - pad;
        channel[j] = col % k;
    }

    clearTile();
    for (uint line = begin; line < end; ++line) {
        bool lineInside[GROUPS];
        uint start[GROUPS];
        for (uint j = 0u; j < GROUPS; ++j) {
            const int atY = int(line % outH * stride) + tapY[j];
            lineInside[j] = uint(atY) < h; // negative ones are large
            start[j] = (line / outH * h + uint(atY)) * w * pitch + channel[j];
        }
        for (uint first = 0u; first < outW; first += 4u) {
            vec4 va[8], vb[8]; // two of a pixel, of four pixels
            for (uint i = 0u; i < 8u; ++i) {
                const uint pixel = min(first + i / 2u, outW - 1u);
                va[i] = LOAD(dy, (line * outW + pixel) * m, row4[i % 2u], m);
            }
            for (uint s = 0u; s < 4u; ++s) {
                const uint pixel = first + s;
                for (uint j = 0u; j < GROUPS; ++j) {
                    const int atX = int(pixel * stride) + tapX[j];
                    const bool inside = pixel < outW && lineInside[j] && uint(atX) < w;
                    const uint at = inside ? start[j] + uint(atX) * pitch : 0u;
#if VEC == 4
                    vb[2u * s + j] = mix(vec4(0.0), FETCH(x, at / 4u), bvec4(inside));
#else
                    vb[2u * s + j / 4u][j % 4u] = inside ? x[at] : 0.0;
#endif
                }
            }
            addToTile(va, true, vb, true)
        }
    }

    for (uint i = 0u; i < 8u; ++i) {
        if (row0 + i >= m) {
            break;
        }
        const uint at = ((slot + gl_WorkGroupID.z) * m + row0 + i) * n;
        for (uint j = 0u; j < 8u; j += VEC) {
            if (col0 + j >= n) {
                break;
            }
            parts[(at + col0 + j) / VEC] = tileAt(i, j);
        }
    }
}
