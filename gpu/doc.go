// Package gpu is a small Vulkan runtime for programs whose work is the same
// every step: it is recorded once into a Graph, planned (memory, barriers),
// encoded into command buffers and replayed, with one submit a step and no
// allocation, descriptor update or host wait inside it.
//
// The package knows nothing of neural networks; it runs the SPIR-V modules of
// package shaders. What changes from step to step lies in buffers that the
// kernels read, never in push constants.
package gpu
