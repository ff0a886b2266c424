// Package vit is the Vision Transformer (arXiv 2010.11929) as DINO uses it:
// pre-norm blocks, a CLS token whose final norm is the image's feature, and a
// position embedding that is interpolated to other image sizes. Weights have
// the names of the reference's state dict.
package vit
