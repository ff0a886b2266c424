// How buffers of floats are read and written.
//
// Define VEC: 4 where rows are multiples of four elements, which are then read
// and written at once; 1 takes any. With VEC 4 define TEXELS to read through
// texel buffers: llvmpipe makes one call of that for all lanes, and of a
// storage buffer a branch for every lane.
#ifndef STORED_GLSL
#define STORED_GLSL

#if VEC == 4
#define STORED vec4
#else
#define STORED float
#endif

// INPUT declares a buffer that is only read, by FETCH.
#ifdef TEXELS
#define INPUT(BINDING, NAME) layout(set = 0, binding = BINDING) uniform samplerBuffer NAME
#define FETCH(x, i) texelFetch(x, int(i))
#else
#define INPUT(BINDING, NAME) layout(std430, set = 0, binding = BINDING) readonly buffer NAME##Stored { STORED NAME[]; }
#define FETCH(x, i) x[i]
#endif

#endif
