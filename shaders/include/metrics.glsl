// What a step reports; op.Metrics is its mirror.
// Define METRICS_BINDING before including this file.
layout(std430, set = 0, binding = METRICS_BINDING) buffer Metrics {
    float loss;
    float entropy;
    float kl;
    float grad_norm;
    float grad_norm_max;
    uint status;
    float loss_scale;
    uint skipped;
} metrics;
