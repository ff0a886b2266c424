// Stochastic depth of a residual's branch as in droppath.glsl, for llvmpipe, of rows of
// whole blocks. A subgroup has a row. Declare the push constants before including this
// file, with a member first_row.
#include "few.glsl"
layout(constant_id = 1) const uint WIDTH = 32;
layout(constant_id = 2) const uint ROWS = 1; // of a workgroup
layout(constant_id = 3) const bool DROPS = false; // else the factor is 1
layout(constant_id = 4) const uint GLOBAL_ROWS = 0; // of all global crops
layout(constant_id = 5) const uint GLOBAL_TOKENS = 1;
layout(constant_id = 6) const uint LOCAL_TOKENS = 1;
layout(local_size_x_id = 98, local_size_y_id = 2) in;

uint uniformRow() { return uniform16(gl_WorkGroupID.x) * ROWS + uniform8(gl_SubgroupID); }

// factorOf is the row's, of the branch's factors.
float factorOf(Floats factors, uint row) {
    const uint at = first_row + row;
    return DROPS ? factors.at[min(at, GLOBAL_ROWS) / GLOBAL_TOKENS + (max(at, GLOBAL_ROWS) - GLOBAL_ROWS) / LOCAL_TOKENS] : 1.0;
}
