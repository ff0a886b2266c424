// Bicubic interpolation of a position embedding, as the reference does it
// with torch.nn.functional.interpolate(scale_factor=s, mode="bicubic"):
// an output cell i of n reads the source at
//   (i + 1/2) / s - 1/2,  s = (n + 0.1) / side,
// with the cubic convolution kernel (Keys 1981) of A = -3/4, cells outside
// the source repeating its border. No antialiasing, corners not aligned.
#include "common.glsl"

const float A = -0.75;

// Taps are four source cells from `first` on (to be clamped) and their weights.
struct Taps {
    int first;
    float weight[4];
};

float near(float x) { return ((A + 2) * x - (A + 3)) * x * x + 1; }           // |x| <= 1
float far(float x) { return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A; } // 1 < |x| < 2

// tapsOf gives the taps of output cell i; pitch is 1/s.
Taps tapsOf(uint i, float pitch) {
    float at = (float(i) + 0.5) * pitch - 0.5;
    float low = floor(at);
    float t = at - low;
    Taps taps;
    taps.first = int(low) - 1;
    taps.weight[0] = far(t + 1);
    taps.weight[1] = near(t);
    taps.weight[2] = near(1 - t);
    taps.weight[3] = far(2 - t);
    return taps;
}
