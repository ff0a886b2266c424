// Memory at full speed on llvmpipe. Its compiler makes a branchy loop over the lanes
// of most loads and stores, but a plain load where it sees that all lanes share the
// address: where that is made of push constants alone, in no loop and under no
// condition. So the numbers of workgroups and subgroups go through a table of push
// constants, and loops are unrolled. That is all within Vulkan, if slow elsewhere.
//
// A subgroup is eight invocations. Declare the push constants before including this
// file, with a member `uint count[16]` that holds 0, 1, 2, …
#ifndef UNIFORM_GLSL
#define UNIFORM_GLSL
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require

// With quick broadcasts a subgroup stores as one, else each lane stores what it can
// at once.
layout(constant_id = 99) const bool BROADCASTS = false;

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

// LANES_OF is for each lane the element of x, from first on, that has its number:
// one load of eight. STRIDED are as many that are four apart.
#define LANES_OF(x, first) ofLane(x.at[first], x.at[(first) + 1u], x.at[(first) + 2u], x.at[(first) + 3u], \
    x.at[(first) + 4u], x.at[(first) + 5u], x.at[(first) + 6u], x.at[(first) + 7u])
#define STRIDED(x, first) ofLane(x.at[first], x.at[(first) + 4u], x.at[(first) + 8u], x.at[(first) + 12u], \
    x.at[(first) + 16u], x.at[(first) + 20u], x.at[(first) + 24u], x.at[(first) + 28u])
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

// A block is BLOCK elements, a vec4 of each lane: in four runs of eight lanes with
// BROADCASTS, else as eight quads. RUNS_OF are the runs in any case.
const uint BLOCK = 32u;
#define RUNS_OF(x, first) vec4(LANES_OF(x, first), LANES_OF(x, (first) + 8u), LANES_OF(x, (first) + 16u), LANES_OF(x, (first) + 24u))
#define QUADS_OF(x, first) vec4(STRIDED(x, first), STRIDED(x, (first) + 1u), STRIDED(x, (first) + 2u), STRIDED(x, (first) + 3u))
#define BLOCK_OF(x, first) (BROADCASTS ? RUNS_OF(x, first) : QUADS_OF(x, first))

// BLOCKS_OUT declares a buffer of blocks; BLOCK_STORE writes that from element first on.
#define BLOCKS_OUT(BINDING, NAME)                                                                      \
    layout(std430, set = 0, binding = BINDING) writeonly buffer NAME##Runs { u64vec4 NAME##Run[]; };    \
    layout(std430, set = 0, binding = BINDING) writeonly buffer NAME##Quads { u64vec2 NAME##Quad[]; }
#define BLOCK_STORE(NAME, first, v)                                                                    \
    if (BROADCASTS) {                                                                                  \
        NAME##Run[(first) / 8u] = RUN((v).x);                                                          \
        NAME##Run[(first) / 8u + 1u] = RUN((v).y);                                                     \
        NAME##Run[(first) / 8u + 2u] = RUN((v).z);                                                     \
        NAME##Run[(first) / 8u + 3u] = RUN((v).w);                                                     \
    } else {                                                                                           \
        NAME##Quad[(first) / 4u + gl_SubgroupInvocationID] = u64vec2(pair((v).xy), pair((v).zw));      \
    }
#define RUN(x) u64vec4(PAIR(x, 0u), PAIR(x, 2u), PAIR(x, 4u), PAIR(x, 6u))
#define PAIR(x, lane) pair(vec2(subgroupBroadcast(x, lane), subgroupBroadcast(x, (lane) + 1u)))
uint64_t pair(vec2 v) { return packUint2x32(floatBitsToUint(v)); }

// sumOfLanes is the sum over the subgroup.
float sumOfLanes(vec4 v) { return subgroupAdd((v.x + v.y) + (v.z + v.w)); }

#endif
