// The sums of op(a)'s rows beside a product whose sums run over them (TRANS_A): the
// gradient of a bias beside that of its weight, for no reading of its own.
//   sums[slot + z][row] = sum of part z of op(a)'s row
// The workgroups of the first columns make them, in an order that the size of the
// block fixes.
layout(constant_id = 19) const bool SUMS = false;
layout(std430, set = 0, binding = 7) writeonly buffer Sums { float sums[]; };

bool makesSums() { return SUMS && gl_WorkGroupID.x == 0u; }

void storeSums(uint row, vec4 v) {
    for (uint i = 0u; i < 4u && row + i < m; ++i) {
        sums[(slot + gl_WorkGroupID.z) * m + row + i] = v[i];
    }
}
