// Sums and maxima over groups of LANES invocations of a workgroup of 64. LANES is
// a power of two; one lane alone needs no barrier, which is best on a CPU.
#ifndef LANES_GLSL
#define LANES_GLSL

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint LANES = 64;

// lane numbers the invocations of a group.
uint lane() { return gl_LocalInvocationID.x % LANES; }

float sumOf(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
float maxOf(vec4 v) { return max(max(v.x, v.y), max(v.z, v.w)); }

shared vec2 laneValues[64];

// laneSum adds the values of a group's lanes, in an order that depends on LANES
// alone. Every invocation of the workgroup must call it.
vec2 laneSum(vec2 v) {
    if (LANES == 1) {
        return v;
    }
    uint first = gl_LocalInvocationID.x - lane();
    uint n = min(LANES, 8);
    barrier(); // an earlier sum may still be read
    laneValues[gl_LocalInvocationID.x] = v;
    barrier();
    if (LANES > 8) {
        vec2 s = vec2(0);
        for (uint i = lane() % 8; i < LANES; i += 8) {
            s += laneValues[first + i];
        }
        barrier();
        laneValues[gl_LocalInvocationID.x] = s;
        barrier();
    }
    vec2 total = vec2(0);
    for (uint i = 0; i < n; i++) {
        total += laneValues[first + i];
    }
    return total;
}

float laneSum(float v) { return laneSum(vec2(v, 0)).x; }

float laneMax(float v) {
    if (LANES == 1) {
        return v;
    }
    uint first = gl_LocalInvocationID.x - lane();
    barrier();
    laneValues[gl_LocalInvocationID.x].x = v;
    barrier();
    for (uint i = 0; i < LANES; i++) {
        v = max(v, laneValues[first + i].x);
    }
    return v;
}

#endif
