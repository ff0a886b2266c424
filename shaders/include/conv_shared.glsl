// Convolution and its input gradient with operands in shared memory, for GPUs;
// the equation is in conv_matrices.glsl, how a workgroup makes its block in
// blocks.glsl.
//
// Define VEC.
#include "conv_matrices.glsl"

layout(constant_id = 3) const uint TILES_Y = 8;
layout(local_size_x_id = 1, local_size_y_id = 3) in;
#include "blocks.glsl"

// The rows that this invocation loads, by load.
ivec2 pixel[4];     // of the first tap
uint imageStart[4]; // the image's first pixel

// fetchBlocks loads the vectors from channel p0 of tap (u, v) on; what lies
// outside the images or the matrices is zero.
void fetchBlocks(uvec2 first, uvec2 block, uvec2 loads, uint u, uint v, uint p0) {
    const uint tap = firstTap + v * tapStepY + u * tapStepX;
    for (uint i = 0u; i < loads.y; ++i) {
        const uvec2 to = alongStep(i * (TILES_X * TILES_Y) + gl_LocalInvocationIndex, block.y);
        const uint p = p0 + to.y;
        const ivec2 from = pixel[i] + ivec2(u, v) * tapStep;
        nextLeft[i] = vec4(0.0);
        if (first.y + to.x < rows && p < k && uint(from.x) < sourceW && uint(from.y) < sourceH) { // negative ones are large
            nextLeft[i] = LOAD(source, (imageStart[i] + uint(from.y) * sourceW + uint(from.x)) * pitch, p, k);
            if (TAIL) {
                nextLeft[i] = mix(vec4(0.0), nextLeft[i], lessThan(uvec4(p) + uvec4(0, 1, 2, 3), uvec4(k)));
            }
        }
    }
    for (uint i = 0u; i < loads.x; ++i) {
        const uvec2 to = alongStep(i * (TILES_X * TILES_Y) + gl_LocalInvocationIndex, block.x);
        const uint p = p0 + to.y;
        nextRight[i] = vec4(0.0);
        if (first.x + to.x < n && p < k) {
            nextRight[i] = LOAD(w, ((first.x + to.x) * kernel + tap) * k, p, k);
            if (TAIL) {
                nextRight[i] = mix(vec4(0.0), nextRight[i], lessThan(uvec4(p) + uvec4(0, 1, 2, 3), uvec4(k)));
            }
        }
    }
}

void main() {
    const uvec2 tiles = uvec2(TILES_X, TILES_Y), block = tiles * 8u, loads = 32u / tiles.yx;
    const uvec2 first = uvec2(0u, firstRow) + gl_WorkGroupID.xy * block; // column and row
    const uint cells = gridH * gridW;
    for (uint i = 0u; i < loads.y; ++i) {
        const uint row = first.y + alongStep(i * (TILES_X * TILES_Y) + gl_LocalInvocationIndex, block.y).x;
        const uint cell = row % cells;
        pixel[i] = ivec2(cell % gridW, cell / gridW) * step + ivec2(firstX, firstY);
        imageStart[i] = row / cells * (sourceH * sourceW);
    }

    // The taps' channels follow each other in one loop, a block ahead.
    const uint blocks = tapsX * tapsY * ((k + STEPS - 1u) / STEPS);
    uint u = 0u, v = 0u, p0 = 0u;
    clearTile();
    if (blocks > 0u) {
        fetchBlocks(first, block, loads, u, v, p0);
    }
    for (uint done = 0u; done < blocks; ++done) {
        barrier(); // the last block has been read
        STAGE_BLOCK(left, nextLeft, loads.y, false, block.y)
        STAGE_BLOCK(right, nextRight, loads.x, false, block.x)
        barrier();
        p0 += STEPS;
        if (p0 >= k) {
            p0 = 0u;
            u = u + 1u < tapsX ? u + 1u : 0u;
            v += u == 0u ? 1u : 0u;
        }
        if (done + 1u < blocks) {
            fetchBlocks(first, block, loads, u, v, p0);
        }
        multiplyBlocks();
    }
    storeTile(first + gl_LocalInvocationID.xy * 4u, tiles * 4u);
}
