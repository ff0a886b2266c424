// The values that change from step to step; op.StepParams is their mirror.
// Define STEP_PARAMS_BINDING before including this file, and STEP_PARAMS_INOUT to
// write them too.
#ifndef STEP_PARAMS_INOUT
#define STEP_PARAMS_ACCESS readonly
#else
#define STEP_PARAMS_ACCESS
#endif
layout(std430, set = 0, binding = STEP_PARAMS_BINDING) STEP_PARAMS_ACCESS buffer StepParams {
    float lr;
    float weight_decay;
    float teacher_momentum;
    float teacher_momentum_rest;
    float teacher_temp;
    float student_temp;
    float center_momentum;
    float center_momentum_rest;
    float clip_grad;
    float beta1;
    float beta2;
    float beta1_rest;
    float beta2_rest;
    float eps;
    float bias1;
    float bias2;
    float bias1_last;
    float bias2_last;
    float backbone_rate;
    float loss_scale;
    float gradient_scale;
    float gradient_unscale;
    uint updates;
    uint updates_last;
    uint freeze_last;
    uint seed_lo;
    uint seed_hi;
    uint epoch;
    uint step;
} params;
