// Package bench measures a device: its peaks, every kernel at the shapes of
// training against them, and whole training steps, alone and beside the same
// step in PyTorch. It measures and formats; printing and writing are its
// caller's.
package bench
