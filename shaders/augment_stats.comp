// What the colour and blur kernels need to know of a whole crop. One workgroup
// makes one crop's:
// {mean luminance before contrast, rounded half up;
//  whole radius, inner and outer weight (2^-24) of the box that, applied three
//  times, stands for Pillow's GaussianBlur (Gwosdek et al. 2011)}.
//
// crops () Crop; pixels (count, height, width); stats (count) uvec4.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "jitter.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer Crops { Crop crops[]; };
layout(std430, set = 0, binding = 1) readonly buffer Pixels { uint pixels[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Stats { uvec4 stats[]; };
layout(push_constant) uniform Push { uint first, count, width, height; };

shared uint partial[256];

// divide is a / b rounded to nearest as IEEE demands, which Vulkan does not;
// a may be zero, and neither may be subnormal.
float divide(float a, float b) {
    uint x = floatBitsToUint(a), y = floatBitsToUint(b);
    if ((x << 1) == 0u) return 0.0;
    uint exponent = ((x >> 23) & 255u) - ((y >> 23) & 255u) + 127u;
    uint rest = (x & 0x7fffffu) | 0x800000u;
    uint by = (y & 0x7fffffu) | 0x800000u;
    if (rest < by) {
        rest <<= 1;
        --exponent;
    }
    uint q = 0u;
    for (uint i = 0u; i < 24u; ++i) {
        q <<= 1;
        if (rest >= by) {
            rest -= by;
            q |= 1u;
        }
        rest <<= 1;
    }
    if (rest > by || (rest == by && (q & 1u) == 1u)) ++q;
    return uintBitsToFloat((((exponent - 1u) << 23) + q) | ((x ^ y) & 0x80000000u));
}

// box follows Pillow's float32 steps. The radius is below 2.44, so that the
// whole radius is 0 or 1.
uvec3 box(float radius) {
    precise float square = radius * radius;
    precise float sigma2 = divide(square, 3.0);
    // floor((sqrt(12 sigma2 + 1) - 1) / 2), the root rounded to float32
    float l = sigma2 >= uintBitsToFloat(0x3F2AAAAAu) ? 1.0 : 0.0;
    precise float inner = l * (l + 1.0) - 3.0 * sigma2;
    precise float above = (2.0 * l + 1.0) * inner;
    precise float below = 6.0 * (sigma2 - (l + 1.0) * (l + 1.0));
    precise float reach = l + divide(above, below);
    precise float width = 2.0 * reach + 1.0;
    uint whole = uint(reach);
    uint inside = uint(divide(16777216.0, width));
    return uvec3(whole, inside, (16777216u - (2u * whole + 1u) * inside) / 2u);
}

void main() {
    uint crop = groupIndex();
    if (crop >= count) return; // the whole workgroup
    Crop c = crops[first + crop];
    uint lane = gl_LocalInvocationID.x;
    uint n = width * height;
    uint sum = 0u;
    uint before = turnOf(c.order, CONTRAST_OP);
    if ((c.flags & JITTER) != 0u && before < 4u) {
        for (uint i = lane; i < n; i += gl_WorkGroupSize.x) {
            sum += uint(luma(jittered(unpackPixel(pixels[crop * n + i]), c, before, 0)));
        }
    }
    partial[lane] = sum;
    barrier();
    for (uint width = gl_WorkGroupSize.x / 2u; width > 0u; width /= 2u) {
        if (lane < width) partial[lane] += partial[lane + width];
        barrier();
    }
    if (lane == 0u) {
        uint mean = partial[0] / n;
        if (2u * (partial[0] - mean * n) >= n) ++mean;
        uvec3 b = (c.flags & BLUR) != 0u ? box(c.radius) : uvec3(0u);
        stats[crop] = uvec4(mean, b);
    }
}
