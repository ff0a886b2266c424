// Package dino trains a Vision Transformer without labels by
// self-distillation: a student network learns to predict, from every crop of
// an image, what a slowly moving average of itself (the teacher) says about
// the two large crops (DINO, arXiv 2104.14294).
//
// Config holds a run's settings under the names and defaults of the reference
// trainer, Schedule what changes from step to step, and a checkpoint
// everything that a run needs to go on bit for bit.
package dino
