package dino

import (
	"fmt"

	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Head is the projection head of the paper (section 3.2, appendix C): an MLP
// with GELU, and perhaps batch norm before it, to a bottleneck, L2
// normalisation, and a weight-normalised linear layer without bias to the K
// prototypes.
type Head struct {
	In         int // width of the backbone's features
	Hidden     int // width of the hidden layers
	Bottleneck int
	Out        int     // prototypes K
	Layers     int     // linear layers of the MLP
	InitStd    float64 // standard deviation of their first weights
	BatchNorm  bool    // after each linear layer but the MLP's last
}

// Params lists the weights in the order of the reference's state dict.
func (h Head) Params() []op.Param {
	var list []op.Param
	in := h.In
	for i := range h.Layers {
		out := h.Hidden
		if i == h.Layers-1 {
			out = h.Bottleneck
		}
		list = append(list,
			op.Param{Name: h.layer(i) + ".weight", Shape: []int{out, in}, Init: op.TruncNormal(h.InitStd)},
			op.Param{Name: h.layer(i) + ".bias", Shape: []int{out}, Init: op.Constant(0)})
		if h.BatchNorm && i < h.Layers-1 {
			list = append(list, op.BatchNormParams(h.norm(i), out)...)
		}
		in = out
	}
	return append(list,
		op.Param{Name: "last_layer.weight_g", Shape: []int{h.Out, 1}, Init: op.Constant(1)},
		op.Param{Name: "last_layer.weight_v", Shape: []int{h.Out, h.Bottleneck}, Init: op.FanIn(h.Bottleneck)})
}

// layer is the name of linear layer i: nn.Sequential counts the norms and
// activations too, and a single layer is no Sequential.
func (h Head) layer(i int) string {
	switch {
	case h.Layers == 1:
		return "mlp"
	case h.BatchNorm:
		return fmt.Sprintf("mlp.%d", 3*i)
	}
	return fmt.Sprintf("mlp.%d", 2*i)
}

// norm is the name of the batch norm after linear layer i.
func (h Head) norm(i int) string { return fmt.Sprintf("mlp.%d", 3*i+1) }

// Forward maps features (n, In) to logits (n, Out).
func (h Head) Forward(t *op.Tape, w op.Weights, mode op.Mode, x *gpu.Tensor) *gpu.Tensor {
	defer t.G.Scope("head")()
	for i := range h.Layers {
		weight, bias := w(h.layer(i)+".weight"), w(h.layer(i)+".bias")
		switch {
		case i == h.Layers-1:
			x = op.Linear(t, x, weight, bias)
		case h.BatchNorm:
			x = op.BatchNormGELU(t, op.Linear(t, x, weight, bias), w.BatchNorm(h.norm(i)), mode.Train)
		default:
			x = op.LinearGELU(t, x, weight, bias)
		}
	}
	x = op.L2Norm(t, x)
	last := op.WeightNorm(t, w("last_layer.weight_v"), w("last_layer.weight_g"))
	return op.Linear(t, x, last, nil)
}
