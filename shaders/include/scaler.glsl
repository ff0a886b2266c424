// The state of the dynamic loss scale; op.Scaler is its mirror.
// Define SCALER_BINDING and SCALER_ACCESS (readonly or nothing) before including
// this file.
layout(std430, set = 0, binding = SCALER_BINDING) SCALER_ACCESS buffer Scaler {
    float scale;
    float good;
    float skipped;
    float skipped_last;
} scaler;
