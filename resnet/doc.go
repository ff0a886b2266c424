// Package resnet is the residual network (He et al., arXiv 1512.03385) as
// torchvision has it and DINO trains it: basic blocks or bottlenecks whose
// stride is in the 3 × 3 convolution, batch norm, and the mean over the last
// maps as the image's feature. Weights have the names of torchvision's state
// dict. Activations are (N, H, W, C), so that a 1 × 1 convolution is a matrix
// product and a batch norm sees a channel a column.
package resnet
