// Gradient of maxpool_fwd: every pixel gathers from the windows that took it.
//   dx[b, y, x, c] (+)= sum of dy[b, i, j, c] over the windows (i, j) around
//   (y, x) whose maximum was there
// in the order of the windows. dx (N, H, W, C), dy (N, outH, outW, C), f32;
// taken: see maxpool_fwd.glsl.
//
// Define VEC and perhaps TEXELS, see stored.glsl. An invocation does four
// elements that follow each other in an image.
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint SIZE = 3;
layout(constant_id = 1) const uint STRIDE = 2;
layout(constant_id = 2) const bool ACCUMULATE = false;
INPUT(0, dy);
layout(std430, set = 0, binding = 1) readonly buffer Taken { uint taken[]; };
layout(std430, set = 0, binding = 2) buffer DX { STORED dx[]; };
layout(push_constant) uniform Push {
    uint count; // N
    uint h, w, channels;
    uint outH, outW;
    uint pad;
};

void main() {
    const uint width = channels / VEC, size = h * w * width; // of a pixel and of an image
    const uint words = (h * w * channels + 3u) / 4u;
    const uint at = globalIndex(), picture = at / words;
    if (picture >= count) {
        return;
    }
    for (uint part = 0u; part < 4u / VEC; ++part) {
        const uint element = (at - picture * words) * (4u / VEC) + part;
        if (VEC == 1u && element >= size) { // else an image is whole quads
            break;
        }
        // What is left of a division is found by multiplying: processors divide
        // lane by lane.
        const uint pixel = element / width, line = pixel / w, channel = element - pixel * width;
        // With the padding, pixel (py, px) is tap (py - i STRIDE, px - j STRIDE) of
        // window (i, j).
        const uint py = line + pad, px = pixel - line * w + pad;
        const uint top = py < SIZE ? 0u : (py - SIZE) / STRIDE + 1u;
        const uint left = px < SIZE ? 0u : (px - SIZE) / STRIDE + 1u;
        const uint bottom = min(py / STRIDE, outH - 1u), right = min(px / STRIDE, outW - 1u);

        STORED sum = STORED(0.0);
        for (uint i = top; i <= bottom; ++i) {
            uint cell = ((picture * outH + i) * outW + left) * width + channel;
            uint tap = (py - i * STRIDE) * SIZE + px - left * STRIDE;
            for (uint j = left; j <= right; ++j) {
#if VEC == 4
                const uvec4 numbers = (uvec4(taken[cell]) >> uvec4(0, 8, 16, 24)) & 255u;
                sum += mix(vec4(0.0), FETCH(dy, cell), equal(numbers, uvec4(tap)));
#else
                const uint outSize = outH * outW * channels, own = cell - picture * outSize;
                const uint word = taken[picture * ((outSize + 3u) / 4u) + own / 4u];
                sum += (word >> (8u * (own % 4u)) & 255u) == tap ? FETCH(dy, cell) : 0.0;
#endif
                cell += width;
                tap -= STRIDE;
            }
        }
        const uint to = picture * size + element;
        dx[to] = ACCUMULATE ? dx[to] + sum : sum;
    }
}
