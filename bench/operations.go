package bench

import (
	"fmt"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
	"dino-vk/vit"
)

// operation is something that training does, at one shape.
type operation struct {
	name, shape       string
	times             int // how often the student's network holds it; 0: it is none of its layers
	forward, backward work
	record            func(r *recorder)
	torch             counterpart // nil: there is none
}

// sizes are what the shapes of a training follow from.
type sizes struct {
	dino.Config
	dim, depth, heads int
	runs              []op.Run // of the student's tokens
	tokens            int
	crops             int // of the whole batch
	patch             int // elements of one
}

func sizesOf(c dino.Config) sizes {
	s := sizes{Config: c, crops: c.Crops() * c.BatchSize}
	if r, ok := c.ResNet(); ok {
		s.dim = r.Features()
		return s
	}
	v := c.ViT()
	s.runs = []op.Run{{Sequences: 2 * c.BatchSize, Length: v.Tokens(c.ImageSize, c.ImageSize)}}
	s.dim, s.depth, s.heads = v.Dim, v.Depth, v.Heads
	if c.LocalCropsNumber > 0 {
		s.runs = append(s.runs, op.Run{
			Sequences: c.LocalCropsNumber * c.BatchSize, Length: v.Tokens(c.LocalSize, c.LocalSize),
		})
	}
	s.tokens = op.Tokens(s.runs)
	s.patch = 3 * c.PatchSize * c.PatchSize
	return s
}

// operations lists what a training step of these settings consists of, each
// shape once, and what evaluation adds.
func operations(c dino.Config) []operation {
	s := sizesOf(c)
	var list []operation
	if r, ok := c.ResNet(); ok {
		list = s.resNet(r)
	} else {
		list = s.vit()
	}
	in := s.dim
	for i := range c.HeadLayers {
		if i < c.HeadLayers-1 {
			list = append(list, s.linear(fmt.Sprintf("head %d + GELU", i+1), 1, s.crops, in, c.HeadHiddenDim, withGELU))
			in = c.HeadHiddenDim
		} else {
			list = append(list, s.linear(fmt.Sprintf("head %d", i+1), 1, s.crops, in, c.HeadBottleneckDim, plain))
		}
	}
	list = append(list,
		s.l2Norm(), s.weightNorm(),
		s.linear("prototypes", 1, s.crops, c.HeadBottleneckDim, c.OutDim, noBias),
		s.loss(), s.center(), s.gradientNorm(),
	)
	list = append(list, s.updates()...)
	list = append(list, s.augment(), s.neighbours())
	if len(s.runs) > 0 {
		list = append(list, s.attentionProbs())
	}
	return list
}

// vit lists what a Vision Transformer does.
func (s sizes) vit() []operation {
	list := []operation{
		s.patchify(),
		s.linear("patch embedding", 1, s.tokens-s.crops, s.patch, s.dim, plain|noInputGradient),
		s.addTokens(),
		s.layerNorm("layer norm", 2*s.depth, s.tokens),
		s.linear("qkv", s.depth, s.tokens, s.dim, 3*s.dim, inner),
		s.attention(),
		s.linear("projection + residual", s.depth, s.tokens, s.dim, s.dim, withResidual),
		s.linear("fc1 + GELU", s.depth, s.tokens, s.dim, 4*s.dim, withGELU),
		s.linear("fc2 + residual", s.depth, s.tokens, 4*s.dim, s.dim, withResidual),
		s.residual(),
		s.cls(),
		s.layerNorm("layer norm of CLS", 1, s.crops),
	}
	if s.LocalCropsNumber > 0 {
		list = append(list, s.posEmbed())
	}
	return list
}

// StepFLOPs are the multiplications and additions of a training step's matrix
// products: the student's forward and backward, and the teacher's forward of
// the global crops.
func StepFLOPs(c dino.Config) float64 {
	sum := 0.0
	for _, o := range operations(c) {
		sum += float64(o.times) * (o.forward.flops + o.backward.flops)
	}
	c.LocalCropsNumber = 0
	for _, o := range operations(c) {
		sum += float64(o.times) * o.forward.flops
	}
	return sum
}

// variant says what a linear layer does besides y = x wᵀ + b.
type variant uint8

const (
	withResidual variant = 1 << iota
	withGELU
	noBias
	noInputGradient
	inner // only attention reads y

	plain variant = 0
)

func (s sizes) linear(name string, times, rows, in, out int, v variant) operation {
	bias, extra := out, 0
	if v&noBias != 0 {
		bias = 0
	}
	if v&(withResidual|withGELU) != 0 {
		extra = 1
	}
	forward, backward := linearWork(rows, in, out, bias, extra, v&noInputGradient == 0)
	if v&withResidual != 0 { // whose gradient is dy itself
		_, backward = linearWork(rows, in, out, bias, 0, true)
	}
	return operation{name, fmt.Sprintf("(%d, %d) → %d", rows, in, out), times, forward, backward, func(r *recorder) {
		x, w := r.activation(v&noInputGradient == 0, rows, in), r.weight(out, in)
		var b *gpu.Tensor
		if bias > 0 {
			b = r.leaf(bias)
		}
		switch {
		case v&withResidual != 0:
			r.differentiate(op.LinearResidual(r.tape, x, w, b, r.input(rows, out)))
		case v&withGELU != 0:
			r.differentiate(op.LinearGELU(r.tape, x, w, b))
		case v&inner != 0:
			r.differentiate(op.LinearInner(r.tape, x, w, b))
		default:
			r.differentiate(op.Linear(r.tape, x, w, b))
		}
	}, counterpart{
		"kind": "linear", "rows": rows, "in": in, "out": out, "bias": bias > 0,
		"gelu": v&withGELU != 0, "residual": v&withResidual != 0, "input_gradient": v&noInputGradient == 0,
	}}
}

func (s sizes) attention() operation {
	forward, backward := attentionWork(s.runs, s.heads, s.dim)
	shape := ""
	for i, r := range s.runs {
		if i > 0 {
			shape += " and "
		}
		shape += fmt.Sprintf("%d of %d", r.Sequences, r.Length)
	}
	o := operation{"attention", fmt.Sprintf("%s, %d heads of %d", shape, s.heads, s.dim/s.heads), s.depth, forward, backward, func(r *recorder) {
		r.differentiate(op.Attention(r.tape, r.activation(true, s.tokens, 3*s.dim), s.heads, s.runs))
	}, nil}
	if len(s.runs) == 1 {
		o.torch = counterpart{"kind": "attention", "sequences": s.runs[0].Sequences, "length": s.runs[0].Length, "heads": s.heads, "dim": s.dim}
	}
	return o
}

func (s sizes) layerNorm(name string, times, rows int) operation {
	forward, backward := layerNormWork(rows, s.dim)
	return operation{name, fmt.Sprintf("(%d, %d)", rows, s.dim), times, forward, backward, func(r *recorder) {
		r.differentiate(op.LayerNorm(r.tape, r.leaf(rows, s.dim), r.leaf(s.dim), r.leaf(s.dim), vit.Eps))
	}, counterpart{"kind": "layer_norm", "rows": rows, "width": s.dim}}
}

// residual is y = x + s f with stochastic depth; without it the linear layer
// before it adds x.
func (s sizes) residual() operation {
	n := s.tokens * s.dim
	return operation{"drop path + residual", fmt.Sprintf("(%d, %d)", s.tokens, s.dim), 0, traffic(n, n, n), traffic(n, n), func(r *recorder) {
		pack := op.Packing{Batch: s.BatchSize, Crops: s.Crops(), Globals: 2, GlobalTokens: s.runs[0].Length}
		if len(s.runs) > 1 {
			pack.LocalTokens = s.runs[1].Length
		}
		drop := op.NewDropPath(r.g, 0.1, s.depth, pack, r.table(s.Config), r.params(s.Config))
		x, f := r.input(s.tokens, s.dim), r.leaf(s.tokens, s.dim)
		r.differentiate(op.Residual(r.tape, x, f, drop, s.depth-1, 1))
	}, nil}
}

func (s sizes) patchify() operation {
	pixels, patches := s.pixels(), (s.tokens-s.crops)*s.patch
	return operation{"patchify", fmt.Sprintf("%d patches of %d", s.tokens-s.crops, s.patch), 1, traffic(pixels, patches), traffic(patches, pixels), func(r *recorder) {
		images := []*gpu.Tensor{r.leaf(s.runs[0].Sequences, 3, s.ImageSize, s.ImageSize)}
		if len(s.runs) > 1 {
			images = append(images, r.leaf(s.runs[1].Sequences, 3, s.LocalSize, s.LocalSize))
		}
		r.differentiate(op.Patchify(r.tape, s.PatchSize, images...))
	}, nil}
}

// pixels is the number of elements of all crops.
func (s sizes) pixels() int {
	return 3 * s.BatchSize * (2*s.ImageSize*s.ImageSize + s.LocalCropsNumber*s.LocalSize*s.LocalSize)
}

func (s sizes) addTokens() operation {
	x, patches, shared := s.tokens*s.dim, (s.tokens-s.crops)*s.dim, s.dim
	for _, r := range s.runs {
		shared += r.Length * s.dim
	}
	return operation{"tokens", fmt.Sprintf("(%d, %d)", s.tokens, s.dim), 1, traffic(patches, shared, x), traffic(x, patches, shared), func(r *recorder) {
		var pos []*gpu.Tensor
		for _, run := range s.runs {
			pos = append(pos, r.leaf(run.Length, s.dim))
		}
		r.differentiate(op.AddTokens(r.tape, r.leaf(s.tokens-s.crops, s.dim), r.leaf(s.dim), pos, s.runs))
	}, nil}
}

func (s sizes) posEmbed() operation {
	from, to := s.runs[0].Length, s.runs[1].Length
	return operation{"position embedding", fmt.Sprintf("(%d, %d) → %d", from, s.dim, to), 1,
		traffic(from*s.dim, to*s.dim), traffic(to*s.dim, from*s.dim), func(r *recorder) {
			r.differentiate(op.PosEmbed(r.tape, r.leaf(from, s.dim), s.PatchSize, s.LocalSize, s.LocalSize))
		}, nil}
}

func (s sizes) cls() operation {
	y := s.crops * s.dim
	return operation{"CLS", fmt.Sprintf("(%d, %d) of %d", s.crops, s.dim, s.tokens), 1, traffic(y, y), traffic(y, s.tokens*s.dim), func(r *recorder) {
		r.differentiate(op.Cls(r.tape, r.leaf(s.tokens, s.dim), s.runs))
	}, nil}
}

func (s sizes) l2Norm() operation {
	x := s.crops * s.HeadBottleneckDim
	return operation{"L2 norm", fmt.Sprintf("(%d, %d)", s.crops, s.HeadBottleneckDim), 1, traffic(x, x), traffic(x, x, x), func(r *recorder) {
		r.differentiate(op.L2Norm(r.tape, r.leaf(s.crops, s.HeadBottleneckDim)))
	}, nil}
}

func (s sizes) weightNorm() operation {
	v := s.OutDim * s.HeadBottleneckDim
	return operation{"weight norm", fmt.Sprintf("(%d, %d)", s.OutDim, s.HeadBottleneckDim), 1,
		traffic(v, s.OutDim, v), traffic(v, s.OutDim, v, v, s.OutDim), func(r *recorder) {
			r.differentiate(op.WeightNorm(r.tape, r.leaf(s.OutDim, s.HeadBottleneckDim), r.leaf(s.OutDim)))
		}, nil}
}
