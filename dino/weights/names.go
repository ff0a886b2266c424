package weights

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"dino-vk/dino/safetensors"
)

// Source is who names the tensors.
type Source string

// The sources.
const (
	Run         Source = "dino-vk checkpoint"
	Checkpoint  Source = "reference training checkpoint"
	Backbone    Source = "backbone" // the reference's release, timm or torchvision
	HuggingFace Source = "Hugging Face ViT"
)

// huggingFace are the names of a Hugging Face ViTModel beside the reference's,
// {} standing for the block's number.
var huggingFace = [][2]string{
	{"cls_token", "embeddings.cls_token"},
	{"pos_embed", "embeddings.position_embeddings"},
	{"patch_embed.proj", "embeddings.patch_embeddings.projection"},
	{"blocks.{}.norm1", "encoder.layer.{}.layernorm_before"},
	{"blocks.{}.attn.qkv", "encoder.layer.{}.attention.attention.query"},
	{"blocks.{}.attn.qkv", "encoder.layer.{}.attention.attention.key"},
	{"blocks.{}.attn.qkv", "encoder.layer.{}.attention.attention.value"},
	{"blocks.{}.attn.proj", "encoder.layer.{}.attention.output.dense"},
	{"blocks.{}.norm2", "encoder.layer.{}.layernorm_after"},
	{"blocks.{}.mlp.fc1", "encoder.layer.{}.intermediate.dense"},
	{"blocks.{}.mlp.fc2", "encoder.layer.{}.output.dense"},
	{"norm", "layernorm"},
}

var (
	blockNumber = regexp.MustCompile(`\.\d+\.`)
	leafName    = regexp.MustCompile(`\.(weight|bias)$`)
)

// pattern splits a name into its form, with {} for the block's number, that
// number, and .weight or .bias.
func pattern(name string) (form, number, leaf string) {
	leaf = leafName.FindString(name)
	form = strings.TrimSuffix(name, leaf)
	if at := blockNumber.FindStringIndex(form); at != nil {
		number = form[at[0]+1 : at[1]-1]
		form = form[:at[0]+1] + "{}" + form[at[1]-1:]
	}
	return form, number, leaf
}

// ToHuggingFace are the names that a Hugging Face ViTModel has for what the
// reference calls name: three for qkv, whose rows they share; none for what it
// lacks.
func ToHuggingFace(name string) []string {
	form, number, leaf := pattern(name)
	var list []string
	for _, pair := range huggingFace {
		if pair[0] == form {
			list = append(list, strings.Replace(pair[1], "{}", number, 1)+leaf)
		}
	}
	return list
}

func isHuggingFace(list stateDict) bool {
	return slices.ContainsFunc(list, func(t *Tensor) bool {
		return strings.HasSuffix(t.Name, "embeddings.patch_embeddings.projection.weight")
	})
}

// fromHuggingFace renames the tensors of a ViTModel, alone or within a
// classifier, and joins query, key and value.
func fromHuggingFace(list stateDict) (stateDict, error) {
	found := map[string]*Tensor{}
	var order []string
	for _, t := range list {
		t.Name = strings.TrimPrefix(t.Name, "vit.")
		if strings.HasPrefix(t.Name, "pooler.") || strings.HasPrefix(t.Name, "classifier.") {
			continue
		}
		found[t.Name] = t
		order = append(order, t.Name)
	}
	var out stateDict
	for _, name := range order {
		if found[name] == nil {
			continue // joined with another
		}
		t := found[name]
		form, number, leaf := pattern(name)
		if i := slices.IndexFunc(huggingFace, func(pair [2]string) bool { return pair[1] == form }); i >= 0 {
			t.Name = strings.Replace(huggingFace[i][0], "{}", number, 1) + leaf
		}
		names := ToHuggingFace(t.Name)
		if len(names) == 3 {
			var err error
			if t, err = join(t.Name, names, found); err != nil {
				return nil, err
			}
		}
		for _, n := range names {
			delete(found, n)
		}
		t.Name = BackbonePrefix + t.Name
		out = append(out, t)
	}
	return out, nil
}

// join puts tensors of one shape one after another along the first dimension.
func join(name string, parts []string, found map[string]*Tensor) (*Tensor, error) {
	joined := &Tensor{Name: name}
	for i, n := range parts {
		t := found[n]
		switch {
		case t == nil:
			return nil, fmt.Errorf("tensor %q is missing", n)
		case len(t.Shape) == 0:
			return nil, fmt.Errorf("tensor %q is a single number", n)
		case i == 0:
			joined.Type = t.Type
			joined.Shape = slices.Clone(t.Shape)
			joined.Shape[0] *= len(parts)
		case t.Type != joined.Type || len(t.Shape) != len(joined.Shape) || t.Shape[0]*len(parts) != joined.Shape[0] || !slices.Equal(t.Shape[1:], joined.Shape[1:]):
			return nil, fmt.Errorf("tensor %q is %s %v, %q is %s %v", n, t.Type, t.Shape, parts[0], found[parts[0]].Type, found[parts[0]].Shape)
		}
		joined.parts = append(joined.parts, t.parts...)
	}
	return joined, nil
}

// fromReference takes off the prefixes of wrappers, gives a backbone alone its
// own, and leaves out classifiers.
func fromReference(list stateDict) stateDict {
	for _, t := range list {
		t.Name = strings.TrimPrefix(t.Name, "module.")
	}
	whole := slices.ContainsFunc(list, func(t *Tensor) bool { return strings.HasPrefix(t.Name, BackbonePrefix) })
	var out stateDict
	for _, t := range list {
		if !whole {
			if slices.Contains([]string{"head.weight", "head.bias", "fc.weight", "fc.bias"}, t.Name) {
				continue
			}
			t.Name = BackbonePrefix + t.Name
		}
		out = append(out, t)
	}
	return withCounters(out)
}

// withCounters adds the counters of batch norm that PyTorch before 0.4.1 did not
// keep, as later ones do: they begin anew.
func withCounters(list stateDict) stateDict {
	const kept, counter = ".running_var", ".num_batches_tracked"
	names := map[string]bool{}
	for _, t := range list {
		names[t.Name] = true
	}
	for _, t := range slices.Clone(list) {
		name, ok := strings.CutSuffix(t.Name, kept)
		if ok && !names[name+counter] {
			zero := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, 8))), nil }
			list = append(list, &Tensor{Name: name + counter, Type: safetensors.I64, Shape: []int{}, parts: []part{{name + counter, zero}}})
		}
	}
	return list
}
