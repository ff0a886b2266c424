package dino

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"dino-vk/dino/pth"
	"dino-vk/dino/safetensors"
	"dino-vk/dino/weights"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
	"dino-vk/resnet"
	"dino-vk/vit"
)

// ErrNoName says that a format has no names for a backbone's tensors.
var ErrNoName = errors.New("the format has no names for it")

// Entries are the model's weights for a file. rename gives the tensors' names
// there: several names share a tensor's rows; nil keeps the reference's, which
// for ResNets are torchvision's.
func (m *Model) Entries(rename func(name string) []string) ([]safetensors.Entry, error) {
	var list []safetensors.Entry
	for _, p := range m.Params() {
		names := []string{p.Name}
		if rename != nil {
			if names = rename(p.Name); len(names) == 0 {
				return nil, fmt.Errorf("%T, tensor %q: %w", m.Backbone, p.Name, ErrNoName)
			}
		}
		for i, name := range names {
			e := safetensors.Entry{Name: name, Type: safetensors.F32, Shape: p.Shape}
			if len(names) > 1 {
				e.Shape = append([]int{p.Shape[0] / len(names)}, p.Shape[1:]...)
			}
			list = append(list, exported(e, p, func() ([]float32, error) {
				values, err := m.Values(p)
				n := len(values) / len(names)
				return values[i*n : (i+1)*n], err
			}))
		}
	}
	return list, nil
}

// exported gives an entry its values, whole numbers where PyTorch counts.
func exported(e safetensors.Entry, p op.Param, values func() ([]float32, error)) safetensors.Entry {
	counts := p.Buffer && strings.HasSuffix(p.Name, ".num_batches_tracked")
	if counts {
		e.Type = safetensors.I64
	}
	e.Data = func(w io.Writer) error {
		v, err := values()
		if err != nil {
			return err
		}
		if counts {
			return safetensors.Values(e.Name, e.Shape, []int64{int64(v[0])}).Data(w)
		}
		_, err = w.Write(gpu.F32Bytes(v))
		return err
	}
	return e
}

// WriteBackbone writes the model's weights under the reference's names.
func (m *Model) WriteBackbone(w io.Writer) error { return m.writeSafetensors(w, nil) }

// WritePickled writes the model's weights as the reference releases them: a
// state dict saved by torch.save.
func (m *Model) WritePickled(w io.Writer) error {
	list, err := m.Entries(nil)
	if err != nil {
		return err
	}
	d, err := stateDict("", list)
	if err != nil {
		return err
	}
	return pth.Write(w, d)
}

// WriteHuggingFace writes the model's weights as those of a Hugging Face
// ViTModel; ErrNoName says that the backbone is none.
func (m *Model) WriteHuggingFace(w io.Writer) error {
	return m.writeSafetensors(w, weights.ToHuggingFace)
}

func (m *Model) writeSafetensors(w io.Writer, rename func(string) []string) error {
	list, err := m.Entries(rename)
	if err != nil {
		return err
	}
	// transformers demands the note that PyTorch's tensors are meant.
	return safetensors.Write(w, map[string]string{"format": "pt"}, list)
}

func stateDict(prefix string, list []safetensors.Entry) (*pth.Dict, error) {
	d := &pth.Dict{Ordered: true}
	for i := range list {
		if err := d.Set(prefix+list[i].Name, &list[i]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// The means and standard deviations that pictures are normalised with, by channel.
var (
	imageNetMean = []float64{0.485, 0.456, 0.406}
	imageNetStd  = []float64{0.229, 0.224, 0.225}
)

// HuggingFaceConfig is the config.json of a ViTModel and the
// preprocessor_config.json of its pictures.
func (m *Model) HuggingFaceConfig() (config, preprocessor []byte, err error) {
	v, ok := m.Backbone.(vit.Config)
	if !ok {
		return nil, nil, fmt.Errorf("%T: %w", m.Backbone, ErrNoName)
	}
	config, err1 := document(map[string]any{
		"architectures": []string{"ViTModel"}, "model_type": "vit", "torch_dtype": "float32",
		"hidden_size": v.Dim, "num_hidden_layers": v.Depth, "num_attention_heads": v.Heads, "intermediate_size": vit.MLPRatio * v.Dim,
		"image_size": v.ImageSize, "patch_size": v.PatchSize, "encoder_stride": v.PatchSize, "num_channels": 3,
		"hidden_act": "gelu", "qkv_bias": true, "layer_norm_eps": vit.Eps, "initializer_range": 0.02,
		"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
	})
	preprocessor, err2 := document(map[string]any{
		"image_processor_type": "ViTImageProcessor", "do_resize": true, "do_rescale": true, "do_normalize": true,
		"rescale_factor": 1.0 / 255, "resample": 3, // bicubic
		"size":       map[string]int{"height": v.ImageSize, "width": v.ImageSize},
		"image_mean": imageNetMean, "image_std": imageNetStd,
	})
	return config, preprocessor, errors.Join(err1, err2)
}

// TIMMConfig is the config.json with which timm loads the folder it is in
// (timm.create_model("local-dir:…")): how to build the model, and how pictures
// are shown to it.
func (m *Model) TIMMConfig(c Config) ([]byte, error) {
	pretrained := map[string]any{
		"num_classes": 0, "input_size": []int{3, m.Size, m.Size}, "fixed_input_size": true, "interpolation": "bicubic",
		"crop_pct": 224.0 / 256, "mean": imageNetMean, "std": imageNetStd,
	}
	doc := map[string]any{"num_classes": 0, "num_features": m.Features(), "pretrained_cfg": pretrained}
	switch b := m.Backbone.(type) {
	case vit.Config:
		doc["architecture"] = "vit_small_patch16_224"
		doc["model_args"] = map[string]int{
			"img_size": b.ImageSize, "patch_size": b.PatchSize, "embed_dim": b.Dim, "depth": b.Depth, "num_heads": b.Heads,
		}
		pretrained["first_conv"], pretrained["classifier"] = "patch_embed.proj", "head"
	case resnet.Config:
		if b.Width != 64 || b.Stem != resnet.ImageNet {
			return nil, fmt.Errorf("a ResNet of width %d with the stem %s: %w", b.Width, b.Stem, ErrNoName)
		}
		doc["architecture"] = c.Arch
		pretrained["first_conv"], pretrained["classifier"] = "conv1", "fc"
	default:
		return nil, fmt.Errorf("%T: %w", b, ErrNoName)
	}
	return document(doc)
}

func document(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}
