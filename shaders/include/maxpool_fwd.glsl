// Maximum over windows of SIZE x SIZE pixels, padded with -infinity:
//   y[b, i, j, c] = max_{v, u} x[b, i stride - pad + v, j stride - pad + u, c]
// x (N, H, W, C), y (N, outH, outW, C), f32. KEEP: `taken` gets the number
// v SIZE + u of the first maximum of the window, as a byte of VEC elements'
// word; of NaNs, which count as the largest, that of the last, as in PyTorch.
//
// Define VEC and perhaps TEXELS, see stored.glsl. An invocation does VEC
// channels of a pixel.
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
    const uint width = channels / VEC;
    const uint at = globalIndex();
    if (at >= count * outH * outW * width) {
        return;
    }
    const uint cell = at / width, line = cell / outW, picture = line / outH;
    const uint top = (line - picture * outH) * STRIDE - pad, left = (cell - line * outW) * STRIDE - pad;
    const uint channel = at - cell * width;

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
    y[at] = best;
    if (KEEP) {
        uint word = 0u;
        for (uint i = 0u; i < VEC; ++i) {
            word |= first[i] << (8u * i);
        }
        taken[at] = word;
    }
}
