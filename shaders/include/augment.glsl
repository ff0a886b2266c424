// What the augmentation kernels share. op.CropParams mirrors Crop.
#ifndef AUGMENT_GLSL
#define AUGMENT_GLSL

// Crop says how one crop is made: a box of a picture, resized, of which a
// window is kept, then what is done to its colours.
struct Crop {
    uint image;               // row of the image table
    uint x, y, w, h;          // box within the picture, pixels
    uint resized_w, resized_h; // the size that the box is resized to
    uint window_x, window_y;  // upper left corner of the output within that
    uint flags;
    uint order;               // four jitter operations of four bits each, first lowest
    float brightness;         // factors; 1 changes nothing
    float contrast;
    float saturation;
    float hue;                // turns, in [-0.5, 0.5]
    float radius;             // standard deviation of the blur, pixels
};

const uint FLIP = 1u;
const uint JITTER = 2u;
const uint GRAY = 4u;
const uint BLUR = 8u;
const uint SOLARIZE = 16u;

const uint BRIGHTNESS_OP = 0u;
const uint CONTRAST_OP = 1u;
const uint SATURATION_OP = 2u;
const uint HUE_OP = 3u;
const uint NO_OP = 4u;

// Pixels between the stages are 8-bit RGB in one word, red lowest.
ivec3 unpackPixel(uint p) {
    return ivec3(p & 255u, (p >> 8) & 255u, (p >> 16) & 255u);
}

uint packPixel(ivec3 c) {
    return uint(c.r) | uint(c.g) << 8 | uint(c.b) << 16;
}

// normalized is ToTensor and Normalize with ImageNet's mean and deviation.
vec3 normalized(ivec3 c) {
    return (vec3(c) / 255.0 - vec3(0.485, 0.456, 0.406)) / vec3(0.229, 0.224, 0.225);
}

// solarized inverts the samples from 128 on.
ivec3 solarized(ivec3 c) {
    return mix(c, 255 - c, greaterThanEqual(c, ivec3(128)));
}

#endif
