// Operands of float16 for matrix units, and sums of it.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "types.glsl"
#define OPERAND float16_t
#define OPERAND_TYPE F16
#define DIRECT
uvec2 roundOperand(vec4 v) { return uvec2(packFloat2x16(f16vec2(v.xy)), packFloat2x16(f16vec2(v.zw))); }
