#version 450
// Sums of the columns of a matrix for llvmpipe, of rows of whole blocks, by parts of
// the rows; the equation is in colsum.glsl. A subgroup has PART rows of some blocks of
// columns.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 x; uint rows, slot; uint count[16]; };
#include "uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 32;
layout(constant_id = 2) const uint SUBGROUPS = 1; // of a row
layout(constant_id = 3) const uint PART = 1; // rows
layout(constant_id = 4) const bool TAIL = false; // the last part has fewer
layout(local_size_x_id = 98, local_size_y_id = 2) in;

// x is read by address; as a binding it says what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer X { float unused_x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Sum { float sum[]; };

const uint COLUMNS = WIDTH / SUBGROUPS, BLOCKS = COLUMNS / BLOCK; // of a subgroup

void main() {
    const uint part = uniform16(gl_WorkGroupID.x), column = COLUMNS * uniform8(gl_SubgroupID);
    // A part that would reach beyond the last row is moved back, and adds its own rows.
    const uint begin = PART * part, row0 = TAIL ? min(begin, rows - PART) : begin;
    Floats own = move(x, row0 * WIDTH + column);

    vec4 s[BLOCKS];
    [[unroll]] for (uint b = 0u; b < BLOCKS; ++b) {
        s[b] = vec4(0);
    }
    const uint at = (slot + part) * WIDTH + column + gl_SubgroupInvocationID;
    [[unroll]] for (uint i = 0u; i < PART; ++i) {
        CUT(i > 0u && i % 8u == 0u, sum[at] = dot(s[0], s[BLOCKS - 1u]))
        const bool add = !TAIL || row0 + i >= begin; // a choice of numbers, no branch
        [[unroll]] for (uint b = 0u; b < BLOCKS; ++b) {
            const vec4 v = RUNS_OF(own, i * WIDTH + b * BLOCK);
            s[b] += add ? v : vec4(0);
        }
    }
    [[unroll]] for (uint i = 0u; i < COLUMNS; i += LANES) {
        sum[at + i] = s[i / BLOCK][i % BLOCK / LANES];
    }
}
