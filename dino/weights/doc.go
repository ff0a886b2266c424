// Package weights opens files of weights from any source and presents their
// tensors under the reference's names: a run's checkpoint, the reference's
// training checkpoints and released backbones (.pth), and Vision Transformers
// and ResNets of timm, torchvision and Hugging Face (.pth, .bin, safetensors).
// It goes the way back too, for those who export.
//
// Files are untrusted: opening reads their structure only, in bounded memory,
// and errors name the tensor and both shapes.
package weights
