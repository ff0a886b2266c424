// Maximum over windows of SIZE x SIZE pixels, padded with -infinity:
//   y[b, i, j, c] = max_{v, u} x[b, i stride - pad + v, j stride - pad + u, c]
// x (N, H, W, C), y (N, outH, outW, C), f32. KEEP: `taken` gets the number
// v SIZE + u of the first maximum of the window, a byte for each element of an
// image's y; of NaNs, which count as the largest, that of the last, as in PyTorch.
//
// Define VEC and perhaps TEXELS, see stored.glsl. An invocation does four
// elements that follow each other in an image.
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint SIZE = 3;
layout(constant_id = 1) const uint STRIDE = 2;
layout(constant_id = 2) const bool KEEP = false;
INPUT(0, x);
layout(std430, set = 0, binding = 1) writeonly buffer Y { STORED y[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Taken { uint taken[]; };
layout(push_constant) uniform Push {
    uint count; // N
    uint h, w, channels;
    uint outH, outW;
    uint pad;
};

#if VEC == 4
#define ELEMENT(v, i) v[i]
#else
#define ELEMENT(v, i) v
#endif

void main() {
    const uint width = channels / VEC, size = outH * outW * width; // of a pixel and of an image
    const uint words = (outH * outW * channels + 3u) / 4u;
    const uint at = globalIndex(), picture = at / words;
    if (picture >= count) {
        return;
    }
    uint word = 0u;
    for (uint part = 0u; part < 4u / VEC; ++part) {
        const uint element = (at - picture * words) * (4u / VEC) + part;
        if (VEC == 1u && element >= size) { // else an image is whole quads
            break;
        }
        const uint cell = element / width, line = cell / outW, channel = element - cell * width;
        const uint top = line * STRIDE - pad, left = (cell - line * outW) * STRIDE - pad;

        STORED best = STORED(0.0);
        uint first[VEC];
        bool any = false;
        for (uint v = 0u; v < SIZE; ++v) {
            for (uint u = 0u; u < SIZE; ++u) {
                const uint pixelY = top + v, pixelX = left + u; // what would be negative is large
                if (pixelY >= h || pixelX >= w) {
                    continue;
                }
                const STORED value = FETCH(x, ((picture * h + pixelY) * w + pixelX) * width + channel);
                for (uint i = 0u; i < VEC; ++i) {
                    if (!any || ELEMENT(value, i) > ELEMENT(best, i) || isnan(ELEMENT(value, i))) {
                        ELEMENT(best, i) = ELEMENT(value, i);
                        first[i] = v * SIZE + u;
                    }
                }
                any = true;
            }
        }
        y[picture * size + element] = best;
        for (uint i = 0u; i < VEC; ++i) {
            word |= first[i] << (8u * (part + i));
        }
    }
    if (KEEP) {
        taken[at] = word;
    }
}
