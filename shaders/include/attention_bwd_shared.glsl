// What the backward kernels of attention_shared.glsl share: how a gradient is
// written. Declare dqkv before including this file.
void addTo(uint at, vec4 gradient) {
    if (accumulate != 0) {
        gradient += FETCH_ALSO(dqkv, at);
    }
    STORE(dqkv, at, gradient)
}
