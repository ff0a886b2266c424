// How the backward kernels of attention_coop.glsl store a gradient. Declare dqkv
// before including this file.
#define SAVE_GRADIENT(at, pair)                                                                   \
    if (accumulate != 0) {                                                                        \
        STORE(dqkv, at, FETCH_ALSO(dqkv, at) + widen(OPERAND_TYPE, pair))                         \
    } else if (dqkv_TYPE == OPERAND_TYPE) {                                                       \
        dqkv##16[at] = pair;                                                                      \
    } else {                                                                                      \
        STORE(dqkv, at, widen(OPERAND_TYPE, pair))                                                \
    }
