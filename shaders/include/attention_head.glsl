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
// at `at`, counted in what the buffer holds. LOAD and STORE do the same with an
// output. The last vector of an odd row is filled up with zeros.
#if WIDTH == 4
#define V vec4
#define LOAD(buf, at, d) buf[(at) + (d)]
#define STORE(buf, at, d, v) buf[(at) + (d)] = v
#else
#define V float
#define LAST(buf, at, i) ((i) < HD ? buf[(at) + (i)] : 0.0)
#define LOAD(buf, at, d) vec4(buf[(at) + 4 * (d)], LAST(buf, at, 4 * (d) + 1), LAST(buf, at, 4 * (d) + 2), LAST(buf, at, 4 * (d) + 3))
#define PUT(buf, at, i, v) if ((i) < HD) { buf[(at) + (i)] = v; }
#define STORE(buf, at, d, v) { PUT(buf, at, 4 * (d), (v).x) PUT(buf, at, 4 * (d) + 1, (v).y) PUT(buf, at, 4 * (d) + 2, (v).z) PUT(buf, at, 4 * (d) + 3, (v).w) }
#endif
#ifdef TEXELS
#define INPUT(n, block, name) layout(set = 0, binding = n) uniform samplerBuffer name;
#define FETCH(buf, at, d) texelFetch(buf, int((at) + (d)))
#else
#define INPUT(n, block, name) layout(std430, set = 0, binding = n) readonly buffer block { V name[]; };
#define FETCH(buf, at, d) LOAD(buf, at, d)
#endif
