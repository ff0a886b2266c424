// Matrix product on a device's matrix units, of matrices that a workgroup shares
// (VK_NV_cooperative_matrix2): operands of 16 bits, sums of 32. The equation is in
// gemm_matrices.glsl.
//
// A workgroup makes a block of 8 TILES_Y rows and 8 TILES_X columns, STEPS steps of
// the sum at a time; the driver brings the operands from memory to the units. What
// follows the product is done where the sums are, element by element.
//
// a and b hold OPERAND; c and slope that or float32. Rows are of multiples of eight
// elements. Define OPERAND, float16_t or bfloat16_t, and OPERAND_TYPE, its number in
// types.glsl.
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int32 : require
#define VEC 1
#define ONE_BY_ONE
#include "gemm_matrices.glsl"

layout(constant_id = 11) const uint TILES_Y = 8;
layout(constant_id = 12) const uint INVOCATIONS = 128;
layout(constant_id = 15) const uint STEPS = 64;
layout(local_size_x_id = 12) in;

// Operands are loaded sixteen bytes at a time. Results are stored as c and slope, or
// as c_half and slope_half.
#define OCTETS(BINDING, NAME) layout(std430, set = 0, binding = BINDING) readonly buffer NAME##Octets { uvec4 NAME##128[]; }
#define HALVES(ACCESS, BINDING, NAME) layout(std430, set = 0, binding = BINDING) ACCESS buffer NAME##Halves { float16_t NAME##_half[]; }
OCTETS(0, a);
OCTETS(1, b);
HALVES(, 2, c);
HALVES(writeonly, 3, slope);

const uint ROWS = 8u * TILES_Y, COLUMNS = 8u * TILES_X;
#define LEFT coopmat<OPERAND, gl_ScopeWorkgroup, ROWS, STEPS, gl_MatrixUseA>
#define RIGHT coopmat<OPERAND, gl_ScopeWorkgroup, STEPS, COLUMNS, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeWorkgroup, ROWS, COLUMNS, gl_MatrixUseAccumulator>
#define HALF_SUMS coopmat<float16_t, gl_ScopeWorkgroup, ROWS, COLUMNS, gl_MatrixUseAccumulator>

// NVIDIA's units hold results of float32 and float16 but none of bfloat16. Such a
// number is held as the float16 of its bits, which is exact for all from 2^-119 to
// 2^121; larger ones become no numbers.
float held(const bool wide, const float v) {
    return wide || OPERAND_TYPE == F16 ? v : unpackHalf2x16(bfloat(vec4(v)).x).x;
}

// finished and slopeOf are what becomes of an element of the block that begins at
// row i0 and column j0, and its slope.
float element(const uint i, const uint j, const float product, out float d) {
    d = 0.0;
    return i < m && j < n ? epilogue(i * n + j, j, alpha * product, d) : 0.0;
}

float finished(const in uint32_t row, const in uint32_t col, const in float product, const in uint32_t i0, const in uint32_t j0) {
    float d;
    return held(IS_WIDE(c), element(i0 + row, j0 + col, product, d));
}

float slopeOf(const in uint32_t row, const in uint32_t col, const in float product, const in uint32_t i0, const in uint32_t j0) {
    float d;
    element(i0 + row, j0 + col, product, d);
    return held(IS_WIDE(slope), d);
}

// MULTIPLY adds the products of the steps from `begin` to `end`. The operands are
// laid out as they are stored, and turned over where op transposes.
#define MULTIPLY(layoutA, layoutB)                                                                \
    for (uint p = begin; p < end; p += STEPS) {                                                   \
        LEFT left;                                                                                \
        RIGHT right;                                                                              \
        if (TRANS_A) {                                                                            \
            coopMatLoadTensorNV(left, a128, 0, sliceTensorLayoutNV(layoutA, p, STEPS, at.y, ROWS), turned); \
        } else {                                                                                  \
            coopMatLoadTensorNV(left, a128, 0, sliceTensorLayoutNV(layoutA, at.y, ROWS, p, STEPS)); \
        }                                                                                         \
        if (TRANS_B) {                                                                            \
            coopMatLoadTensorNV(right, b128, 0, sliceTensorLayoutNV(layoutB, at.x, COLUMNS, p, STEPS), turned); \
        } else {                                                                                  \
            coopMatLoadTensorNV(right, b128, 0, sliceTensorLayoutNV(layoutB, p, STEPS, at.x, COLUMNS)); \
        }                                                                                         \
        sums = coopMatMulAdd(left, right, sums);                                                  \
    }

// STORE_SUMS stores a block of a matrix (m, n).
#define STORE_SUMS(block, to)                                                                     \
    if (IS_WIDE(to)) {                                                                            \
        coopMatStoreTensorNV(block, to, 0, sliceTensorLayoutNV(layoutC, at.y, ROWS, at.x, COLUMNS)); \
    } else {                                                                                      \
        coopMatStoreTensorNV(HALF_SUMS(block), to##_half, 0, sliceTensorLayoutNV(layoutC, at.y, ROWS, at.x, COLUMNS)); \
    }

// The length of a row, told to be a multiple of eight.
uint pitch(uint length) { return length / 8u * 8u; }

void main() {
    const uvec2 at = gl_WorkGroupID.xy * uvec2(COLUMNS, ROWS); // column and row
    const uint begin = gl_WorkGroupID.z * part, end = min(k, begin + part);
    const uint pitchA = pitch(TRANS_A ? m : k), pitchB = pitch(TRANS_B ? k : n), pitchC = pitch(n);
    tensorViewNV<2, false, 1, 0> turned = createTensorViewNV(2, false, 1, 0);

    SUMS sums = SUMS(0.0);
    if ((!TAIL || (end - begin) % STEPS == 0u) && at.y + ROWS <= m && at.x + COLUMNS <= n) {
        tensorLayoutNV<2> insideA = createTensorLayoutNV(2), insideB = createTensorLayoutNV(2);
        insideA = setTensorLayoutDimensionNV(insideA, TRANS_A ? k : m, TRANS_A ? m : k);
        insideB = setTensorLayoutDimensionNV(insideB, TRANS_B ? n : k, TRANS_B ? k : n);
        insideA = setTensorLayoutStrideNV(insideA, pitchA, 1);
        insideB = setTensorLayoutStrideNV(insideB, pitchB, 1);
        MULTIPLY(insideA, insideB)
    } else {
        // What lies outside of a matrix, or of the part of the sum, is zero.
        tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> edgeA = createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
        tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> edgeB = createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
        edgeA = setTensorLayoutDimensionNV(edgeA, TRANS_A ? end : m, TRANS_A ? m : end);
        edgeB = setTensorLayoutDimensionNV(edgeB, TRANS_B ? n : end, TRANS_B ? end : n);
        edgeA = setTensorLayoutStrideNV(edgeA, pitchA, 1);
        edgeB = setTensorLayoutStrideNV(edgeB, pitchB, 1);
        MULTIPLY(edgeA, edgeB)
    }

    tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> layoutC = createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
    layoutC = setTensorLayoutDimensionNV(layoutC, m, n);
    layoutC = setTensorLayoutStrideNV(layoutC, pitchC, 1);
    if (SPLIT) {
        coopMatStoreTensorNV(sums, c, (slot + gl_WorkGroupID.z) * m * n, sliceTensorLayoutNV(layoutC, at.y, ROWS, at.x, COLUMNS));
        return;
    }
    if (SLOPE) {
        SUMS slopes;
        coopMatPerElementNV(slopes, sums, slopeOf, at.y, at.x);
        STORE_SUMS(slopes, slope)
    }
    coopMatPerElementNV(sums, sums, finished, at.y, at.x);
    STORE_SUMS(sums, c)
}
