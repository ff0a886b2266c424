// How buffers of floats are read and written.
//
// Define VEC: 4 where rows are multiples of four elements, which are then read
// and written at once and may be of any type in types.glsl; 1 takes any rows of
// float32. With VEC 4 define TEXELS to read float32 through texel buffers:
// llvmpipe makes one call of that for all lanes, and of a storage buffer a branch
// for every lane. With VEC 1 define ONE_BY_ONE to read single elements of any type;
// then there is no STORE, as two elements of 16 bits share a word.
#ifndef STORED_GLSL
#define STORED_GLSL

#include "types.glsl"

// INPUT declares a buffer that is only read, by FETCH; OUTPUT one that is only
// written, by STORE; INOUT one for both. FETCH_ALSO reads from an INOUT.
#if VEC == 4
#define STORED vec4
#define BUFFER(ACCESS, BINDING, NAME)                                                                    \
    TYPED(BINDING, NAME);                                                                                \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Stored { vec4 NAME[]; };              \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Narrow { uvec2 NAME##16[]; }
#define FETCH_ALSO(x, i) (IS_WIDE(x) ? x[i] : widen(x##_TYPE, x##16[i]))
#define STORE(x, i, v)                                                                                   \
    {                                                                                                    \
        if (IS_WIDE(x)) {                                                                                \
            x[i] = v;                                                                                    \
        } else {                                                                                         \
            x##16[i] = narrow(x##_TYPE, v);                                                              \
        }                                                                                                \
    }
#elif defined(ONE_BY_ONE)
#define STORED float
#define BUFFER(ACCESS, BINDING, NAME)                                                                    \
    TYPED(BINDING, NAME);                                                                                \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Stored { float NAME[]; };             \
    layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Narrow { uint NAME##16[]; }
#define FETCH_ALSO(x, i)                                                                                 \
    (IS_WIDE(x) ? x[i] : widen(x##_TYPE, uvec2(x##16[(i) / 2u] >> 16u * ((i) % 2u), 0u))[0])
#else
#define STORED float
#define BUFFER(ACCESS, BINDING, NAME) layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Stored { float NAME[]; }
#define FETCH_ALSO(x, i) x[i]
#define STORE(x, i, v) x[i] = v;
#endif

#ifdef TEXELS
#define INPUT(BINDING, NAME) layout(set = 0, binding = BINDING) uniform samplerBuffer NAME
#define FETCH(x, i) texelFetch(x, int(i))
#else
#define INPUT(BINDING, NAME) BUFFER(readonly, BINDING, NAME)
#define FETCH(x, i) FETCH_ALSO(x, i)
#endif
#define OUTPUT(BINDING, NAME) BUFFER(writeonly, BINDING, NAME)
#define INOUT(BINDING, NAME) BUFFER(, BINDING, NAME)

#endif
