package dino

import (
	"strings"

	"dino-vk/dino/weights"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Backbone maps images to features. The trainer knows no architecture.
type Backbone interface {
	// Params lists the weights by the reference's names.
	Params() []op.Param
	// Features is the width of the features.
	Features() int
	// Forward records the features (n, Features) of the images of all tensors
	// (n_i, 3, H_i, W_i) together.
	Forward(t *op.Tape, w op.Weights, mode op.Mode, images ...*gpu.Tensor) *gpu.Tensor
}

// Network is a backbone and a head: student and teacher are one each.
type Network struct {
	Backbone Backbone
	Head     Head
}

// NewNetwork builds what the settings name.
func NewNetwork(c Config) (Network, error) {
	backbone, err := newBackbone(c)
	if err != nil {
		return Network{}, err
	}
	return Network{backbone, Head{
		In: backbone.Features(), Hidden: c.HeadHiddenDim, Bottleneck: c.HeadBottleneckDim, Out: c.OutDim, Layers: c.HeadLayers, InitStd: c.InitStd,
		BatchNorm: c.UseBNInHead,
	}}, nil
}

// The parts' prefixes in the reference's state dict.
const (
	backbonePrefix = weights.BackbonePrefix
	headPrefix     = weights.HeadPrefix
)

// Params lists the weights of both parts, backbone first.
func (n Network) Params() []op.Param {
	var list []op.Param
	add := func(prefix string, params []op.Param) {
		for _, p := range params {
			p.Name = prefix + p.Name
			list = append(list, p)
		}
	}
	add(backbonePrefix, n.Backbone.Params())
	add(headPrefix, n.Head.Params())
	return list
}

// Forward records the logits (n, K) of the images.
func (n Network) Forward(t *op.Tape, w op.Weights, mode op.Mode, images ...*gpu.Tensor) *gpu.Tensor {
	features := n.Backbone.Forward(t, w.Under(backbonePrefix), mode, images...)
	return n.Head.Forward(t, w.Under(headPrefix), mode, features)
}

// flags say how the optimizer treats a parameter: biases and vectors are not
// decayed, and the backbone and the head's last layer have freezes of their own
// (utils.get_params_groups and cancel_gradients_last_layer of the reference).
func (c Config) flags(p op.Param) op.ParamFlags {
	var f op.ParamFlags
	if len(p.Shape) > 1 && !strings.HasSuffix(p.Name, ".bias") {
		f |= op.Decay
	}
	if strings.HasPrefix(p.Name, backbonePrefix) {
		f |= op.Backbone
	}
	if strings.Contains(p.Name, "last_layer") {
		f |= op.LastLayer
	}
	if c.NormLastLayer && p.Name == headPrefix+"last_layer.weight_g" {
		f |= op.Frozen
	}
	return f
}

// augmentation is the distribution of a run's crops: DINO's, with its own sizes,
// scales and number of local crops.
func (c Config) augmentation() op.Augmentation {
	a := op.DefaultAugmentation()
	a.Locals = c.LocalCropsNumber
	a.GlobalSize, a.LocalSize = c.ImageSize, c.LocalSize
	a.GlobalScale = [2]float32{float32(c.GlobalCropsScale.Min), float32(c.GlobalCropsScale.Max)}
	a.LocalScale = [2]float32{float32(c.LocalCropsScale.Min), float32(c.LocalCropsScale.Max)}
	a.Jitter, a.Gray = float32(c.JitterProb), float32(c.GrayProb)
	for kind := range a.Blur {
		a.Blur[kind] *= float32(c.Blur)
	}
	a.Brightness, a.Contrast = float32(c.JitterBrightness), float32(c.JitterContrast)
	a.Saturation, a.Hue = float32(c.JitterSaturation), float32(c.JitterHue)
	return a
}
