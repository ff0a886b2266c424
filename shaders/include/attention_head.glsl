// Rows of one attention head, hd elements, as HEAD vectors of four, at most 32,
// so that every loop over them is unrolled: drivers keep such arrays in
// registers, and Mesa's llvmpipe, which leaves all loops of an invocation after
// 65,535 iterations together, counts only those over tokens.
//
// Define before including this file: WIDTH, 4 where hd is a multiple of 4, so
// that buffers hold vectors, else 1; and with WIDTH 4 perhaps TEXELS, by which
// inputs are texel buffers: llvmpipe loads those several times as fast.
layout(constant_id = 0) const uint HD = 32; // hd
const uint HEAD = (HD + 3) / 4;

// INPUT declares an input, of which FETCH gives vector d of the row that begins
// at `at`, counted in what the buffer holds. OUTPUT declares what is written by
// STORE, INOUT what is read too, by LOAD. The last vector of an odd row is filled up with zeros; others may be
// of any type in types.glsl.
#include "types.glsl"
#if WIDTH == 4
#define BUFFER(ACCESS, n, name)                                                               \
    TYPED(n, name);                                                                           \
    layout(std430, set = 0, binding = n) ACCESS buffer name##Stored { vec4 name[]; };         \
    layout(std430, set = 0, binding = n) ACCESS buffer name##Narrow { uvec2 name##16[]; };
#define LOAD(buf, at, d) (IS_WIDE(buf) ? buf[(at) + (d)] : widen(buf##_TYPE, buf##16[(at) + (d)]))
#define STORE(buf, at, d, v)                                                                  \
    {                                                                                         \
        if (IS_WIDE(buf)) {                                                                   \
            buf[(at) + (d)] = v;                                                              \
        } else {                                                                              \
            buf##16[(at) + (d)] = narrow(buf##_TYPE, v);                                      \
        }                                                                                     \
    }
#else
#define BUFFER(ACCESS, n, name) layout(std430, set = 0, binding = n) ACCESS buffer name##Stored { float name[]; };
#define LAST(buf, at, i) ((i) < HD ? buf[(at) + (i)] : 0.0)
#define LOAD(buf, at, d) vec4(buf[(at) + 4 * (d)], LAST(buf, at, 4 * (d) + 1), LAST(buf, at, 4 * (d) + 2), LAST(buf, at, 4 * (d) + 3))
#define PUT(buf, at, i, v) if ((i) < HD) { buf[(at) + (i)] = v; }
#define STORE(buf, at, d, v) { PUT(buf, at, 4 * (d), (v).x) PUT(buf, at, 4 * (d) + 1, (v).y) PUT(buf, at, 4 * (d) + 2, (v).z) PUT(buf, at, 4 * (d) + 3, (v).w) }
#endif
#ifdef TEXELS
#define INPUT(n, name) layout(set = 0, binding = n) uniform samplerBuffer name;
#define FETCH(buf, at, d) texelFetch(buf, int((at) + (d)))
#else
#define INPUT(n, name) BUFFER(readonly, n, name)
#define FETCH(buf, at, d) LOAD(buf, at, d)
#endif
#define OUTPUT(n, name) BUFFER(writeonly, n, name)
#define INOUT(n, name) BUFFER(, n, name)
