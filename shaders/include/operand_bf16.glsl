// Operands of bfloat16 for matrix units.
#extension GL_EXT_bfloat16 : require
#include "types.glsl"
#define OPERAND bfloat16_t
#define OPERAND_TYPE BF16
uvec2 roundOperand(vec4 v) { return narrow(BF16, v); }
