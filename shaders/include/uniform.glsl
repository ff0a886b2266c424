// Memory at full speed on llvmpipe. Its compiler makes a branchy loop over the lanes
// of most loads and stores, but a plain load where it sees that all lanes share the
// address: where that is made of push constants alone, in no loop and under no
// condition. So the numbers of workgroups and subgroups go through a table of push
// constants, and loops are unrolled. That is all within Vulkan, if slow elsewhere.
//
// A subgroup is eight invocations, or sixteen. Declare the push constants before
// including this file, with a member `uint count[16]` that holds 0, 1, 2, …
#ifndef UNIFORM_GLSL
#define UNIFORM_GLSL
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require

// With quick broadcasts a subgroup stores as one, else each lane stores what it can
// at once. Subgroups of sixteen ask for them.
layout(constant_id = 99) const bool BROADCASTS = false;
layout(constant_id = 98) const uint LANES = 8u; // of a subgroup, 8 or 16

// uniform8 is x, which must be the same for all lanes and below 256; uniform16, below 65536.
uint uniform8(uint x) { return count[x & 15u] + 16u * count[x >> 4 & 15u]; }
uint uniform16(uint x) { return uniform8(x & 255u) + 256u * uniform8(x >> 8); }

// Floats are elements read by address: x.at[i].
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { float at[]; };
Floats move(uvec2 x, uint elements) { return Floats(packUint2x32(x) + 4ul * elements); }

// CUT ends straight code, where it is due, by a branch that is never taken, since the
// time to compile grows as the square of what lies between branches. What uses all that
// was computed before it keeps the compiler from moving that behind it.
#define CUT(due, use)                \
    if ((due) && count[1] == 0u) {   \
        use;                         \
    }

// EIGHT_OF are the arguments of ofLane, every step-th element of x, from first on.
#define EIGHT_OF(x, first, step) x.at[first], x.at[(first) + step], x.at[(first) + 2u * step], x.at[(first) + 3u * step], \
    x.at[(first) + 4u * step], x.at[(first) + 5u * step], x.at[(first) + 6u * step], x.at[(first) + 7u * step]

// ofLane is the argument that has the lane's number.
float ofLane(float x0, float x1, float x2, float x3, float x4, float x5, float x6, float x7) {
    const uint lane = gl_SubgroupInvocationID;
    float x = x0;
    x = lane == 1u ? x1 : x;
    x = lane == 2u ? x2 : x;
    x = lane == 3u ? x3 : x;
    x = lane == 4u ? x4 : x;
    x = lane == 5u ? x5 : x;
    x = lane == 6u ? x6 : x;
    return lane == 7u ? x7 : x;
}
float ofLane(float x0, float x1, float x2, float x3, float x4, float x5, float x6, float x7,
             float x8, float x9, float x10, float x11, float x12, float x13, float x14, float x15) {
    const uint lane = gl_SubgroupInvocationID;
    float x = ofLane(x0, x1, x2, x3, x4, x5, x6, x7);
    x = lane == 8u ? x8 : x;
    x = lane == 9u ? x9 : x;
    x = lane == 10u ? x10 : x;
    x = lane == 11u ? x11 : x;
    x = lane == 12u ? x12 : x;
    x = lane == 13u ? x13 : x;
    x = lane == 14u ? x14 : x;
    return lane == 15u ? x15 : x;
}

// lanesOf is for each lane the element of x, from first on, that has its number: one
// load of all.
float lanesOf(Floats x, uint first) {
    return LANES == 16u ? ofLane(EIGHT_OF(x, first, 1u), EIGHT_OF(x, first + 8u, 1u)) : ofLane(EIGHT_OF(x, first, 1u));
}

// A block is BLOCK elements, a vec4 of each lane: in runs of the lanes with BROADCASTS,
// else as eight quads. RUNS_OF are the runs in any case: four of eight lanes, or two of
// sixteen, which come twice. What is made of them twice the compiler makes once.
const uint BLOCK = 32u;
#define RUNS_OF(x, first) (LANES == 16u ? vec2(lanesOf(x, first), lanesOf(x, (first) + 16u)).xyxy : \
    vec4(lanesOf(x, first), lanesOf(x, (first) + 8u), lanesOf(x, (first) + 16u), lanesOf(x, (first) + 24u)))
#define QUADS_OF(x, first) vec4(ofLane(EIGHT_OF(x, first, 4u)), ofLane(EIGHT_OF(x, (first) + 1u, 4u)), \
    ofLane(EIGHT_OF(x, (first) + 2u, 4u)), ofLane(EIGHT_OF(x, (first) + 3u, 4u)))
#define BLOCK_OF(x, first) (BROADCASTS ? RUNS_OF(x, first) : QUADS_OF(x, first))

// BLOCKS_OUT declares a buffer of blocks; BLOCK_STORE writes that from element first on.
#define BLOCKS_OUT(BINDING, NAME)                                                                      \
    layout(std430, set = 0, binding = BINDING) writeonly buffer NAME##Runs { u64vec4 NAME##Run[]; };    \
    layout(std430, set = 0, binding = BINDING) writeonly buffer NAME##Quads { u64vec2 NAME##Quad[]; }
#define BLOCK_STORE(NAME, first, v)                                                                    \
    if (BROADCASTS) {                                                                                  \
        RUNS_STORE(NAME, first, (v).x)                                                                 \
        RUNS_STORE(NAME, (first) + LANES, (v).y)                                                       \
        if (LANES == 8u) {                                                                             \
            RUNS_STORE(NAME, (first) + 16u, (v).z)                                                     \
            RUNS_STORE(NAME, (first) + 24u, (v).w)                                                     \
        }                                                                                              \
    } else {                                                                                           \
        NAME##Quad[(first) / 4u + gl_SubgroupInvocationID] = u64vec2(pair((v).xy), pair((v).zw));      \
    }
#define RUNS_STORE(NAME, first, x)                                                                     \
    NAME##Run[(first) / 8u] = RUN(x, 0u);                                                              \
    if (LANES == 16u) {                                                                                \
        NAME##Run[(first) / 8u + 1u] = RUN(x, 8u);                                                     \
    }
#define RUN(x, lane) u64vec4(PAIR(x, lane), PAIR(x, (lane) + 2u), PAIR(x, (lane) + 4u), PAIR(x, (lane) + 6u))
#define PAIR(x, lane) pair(vec2(subgroupBroadcast(x, lane), subgroupBroadcast(x, (lane) + 1u)))
uint64_t pair(vec2 v) { return packUint2x32(floatBitsToUint(v)); }

// sumOfLanes is the sum over the subgroup.
float sumOfLanes(vec4 v) { return subgroupAdd(LANES == 16u ? v.x + v.y : (v.x + v.y) + (v.z + v.w)); }

#endif
