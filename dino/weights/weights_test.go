package weights

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/pth"
	"dino-vk/dino/safetensors"
	"dino-vk/gpu/op"
	"dino-vk/resnet"
	"dino-vk/vit"
)

// entries are the parameters as a file has them; rename gives their names
// there.
func entries(params []op.Param, rename func(string) string) []safetensors.Entry {
	var list []safetensors.Entry
	for _, p := range params {
		list = append(list, safetensors.Values(rename(p.Name), p.Shape, p.Values(7)))
	}
	return list
}

// dict is the entries as a saved state dict.
func dict(t testing.TB, list []safetensors.Entry) *pth.Dict {
	t.Helper()
	d := &pth.Dict{Ordered: true}
	for i := range list {
		set(t, d, list[i].Name, &list[i])
	}
	return d
}

func set(t testing.TB, d *pth.Dict, key, v any) {
	t.Helper()
	if err := d.Set(key, v); err != nil {
		t.Fatal(err)
	}
}

// file writes a file and returns its path.
func file(t testing.TB, name string, write func(w io.Writer) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func pickled(t testing.TB, root any) string {
	t.Helper()
	return file(t, "weights.pth", func(w io.Writer) error { return pth.Write(w, root) })
}

func saved(t testing.TB, metadata map[string]string, list []safetensors.Entry) string {
	t.Helper()
	return file(t, "model.safetensors", func(w io.Writer) error { return safetensors.Write(w, metadata, list) })
}

func mustOpen(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func same(name string) string { return name }

// checkNetwork compares a network's tensors with the starting weights.
func checkNetwork(t *testing.T, f *File, name, prefix string, params []op.Param) {
	t.Helper()
	n, err := f.Network(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Check(prefix, params); err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		got := make([]float32, p.Len())
		if err := n.Tensor(prefix + p.Name).ReadF32(got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, p.Values(7)) {
			t.Errorf("%s%s differs", prefix, p.Name)
		}
	}
}

var small = vit.Config{ImageSize: 24, PatchSize: 8, Dim: 192, Depth: 4, Heads: 3, InitStd: 0.02}

// huggingFaceEntries are the small model's as a ViTModel has them.
func huggingFaceEntries(prefix string) []safetensors.Entry {
	var list []safetensors.Entry
	for _, p := range small.Params() {
		names, v := ToHuggingFace(p.Name), p.Values(7)
		shape := slices.Clone(p.Shape)
		shape[0] /= len(names)
		for i, name := range names {
			n := len(v) / len(names)
			list = append(list, safetensors.Values(prefix+name, shape, v[i*n:(i+1)*n]))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// Whoever named the tensors, the network is the same.
func TestSources(t *testing.T) {
	params := small.Params()
	plain := entries(params, same)
	timm := append(entries(params, same), safetensors.Values("head.weight", []int{1000, small.Dim}, make([]float32, 1000*small.Dim)),
		safetensors.Values("head.bias", []int{1000}, make([]float32, 1000)))
	wrapped := &pth.Dict{}
	set(t, wrapped, "epoch", 3)
	set(t, wrapped, "model", dict(t, entries(params, func(name string) string { return "module." + name })))
	classifier := append(huggingFaceEntries("vit."), safetensors.Values("classifier.weight", []int{2, small.Dim}, make([]float32, 2*small.Dim)))
	pooled := append(huggingFaceEntries(""), safetensors.Values("pooler.dense.bias", []int{small.Dim}, make([]float32, small.Dim)))
	for name, c := range map[string]struct {
		path   string
		source Source
	}{
		"released backbone":          {pickled(t, dict(t, plain)), Backbone},
		"backbone under state_dict":  {pickled(t, wrapped), Backbone},
		"timm":                       {saved(t, nil, timm), Backbone},
		"prefixed":                   {saved(t, nil, entries(params, func(name string) string { return "backbone." + name })), Backbone},
		"Hugging Face":               {saved(t, map[string]string{"format": "pt"}, pooled), HuggingFace},
		"Hugging Face in classifier": {pickled(t, dict(t, classifier)), HuggingFace},
	} {
		t.Run(name, func(t *testing.T) {
			f := mustOpen(t, c.path)
			if f.Source != c.source {
				t.Errorf("source %q", f.Source)
			}
			checkNetwork(t, f, "teacher", BackbonePrefix, params)
			a, err := f.Architecture("teacher")
			if err != nil || a.ImageSize != small.ImageSize || a.PatchSize != small.PatchSize || a.Dim != small.Dim ||
				a.Depth != small.Depth || a.Heads != small.Heads || a.HeadLayers != 0 || a.Blocks != nil {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

func TestResNet(t *testing.T) {
	for _, c := range []resnet.Config{
		{Bottleneck: true, Layers: []int{3, 4, 6, 3}, Width: 8, Stem: resnet.ImageNet},
		{Layers: []int{2, 2, 2, 2}, Width: 6, Stem: resnet.CIFAR},
	} {
		params := c.Params()
		list := append(entries(params, same),
			safetensors.Values("fc.weight", []int{10, c.Features()}, make([]float32, 10*c.Features())))
		f := mustOpen(t, pickled(t, dict(t, list)))
		checkNetwork(t, f, "teacher", BackbonePrefix, params)
		// Old files have no counters.
		old := slices.DeleteFunc(slices.Clone(list), func(e safetensors.Entry) bool { return strings.HasSuffix(e.Name, "num_batches_tracked") })
		checkNetwork(t, mustOpen(t, pickled(t, dict(t, old))), "teacher", BackbonePrefix, params)
		a, err := f.Architecture("teacher")
		if err != nil || !slices.Equal(a.Blocks, c.Layers) || a.Bottleneck != c.Bottleneck || a.Width != c.Width || (a.StemSize == 7) != (c.Stem == resnet.ImageNet) {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// config.json tells what shapes do not.
func TestHubConfig(t *testing.T) {
	path := saved(t, nil, huggingFaceEntries(""))
	config := filepath.Join(filepath.Dir(path), "config.json")
	for text, want := range map[string]string{
		`{"num_attention_heads": 12, "hidden_act": "gelu", "qkv_bias": true}`:        "",
		`{"architecture": "vit_small_patch16_224", "model_args": {"num_heads": 12}}`: "",
		`{"hidden_act": "relu"}`: `hidden_act "relu"`,
		`{"qkv_bias": false}`:    "qkv_bias false",
		`{`:                      "unexpected end",
	} {
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Open(filepath.Dir(path)) // the folder will do
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if a, err := f.Architecture(""); err != nil || a.Heads != 12 {
			t.Errorf("%+v, %v", a, err)
		}
		f.Close()
	}
}

// Errors name the tensor and both shapes.
func TestWrong(t *testing.T) {
	params := small.Params()
	change := func(name string, e ...safetensors.Entry) []safetensors.Entry {
		list := entries(params, same)
		i := slices.IndexFunc(list, func(e safetensors.Entry) bool { return e.Name == name })
		return slices.Replace(list, i, i+1, e...)
	}
	for want, list := range map[string][]safetensors.Entry{
		`tensor "backbone.norm.bias" [192] is missing`:                              change("norm.bias"),
		`tensor "backbone.norm.bias" is [5], the model needs [192]`:                 change("norm.bias", safetensors.Values("norm.bias", []int{5}, make([]float32, 5))),
		`tensor "backbone.norm.bias" is I32, the model needs floats`:                change("norm.bias", safetensors.Values("norm.bias", []int{192}, make([]int32, 192))),
		`tensor "blocks.0.ls1.gamma" [192] is not part of the model`:                append(entries(params, same), safetensors.Values("blocks.0.ls1.gamma", []int{192}, make([]float32, 192))),
		`tensor "pos_embed" is [1 11 192], the model needs [1 1+n² 192]`:            change("pos_embed", safetensors.Values("pos_embed", []int{1, 11, 192}, make([]float32, 11*192))),
		`tensor "patch_embed.proj.weight" is [192 1 8 8], the model needs [192 3 8`: change("patch_embed.proj.weight", safetensors.Values("patch_embed.proj.weight", []int{192, 1, 8, 8}, make([]float32, 192*64))),
		`neither a Vision Transformer nor a ResNet, with tensors such as "x"`:       {safetensors.Values("x", []int{1}, []float32{1})},
		`tensors "module.x" and "x" are both "backbone.x"`:                          {safetensors.Values("module.x", []int{1}, []float32{1}), safetensors.Values("x", []int{1}, []float32{1})},
		`no tensors`: {},
		`tensor "encoder.layer.3.attention.attention.key.bias" is F32 [191]`: replaceNamed(huggingFaceEntries(""), "encoder.layer.3.attention.attention.key.bias", safetensors.Values("encoder.layer.3.attention.attention.key.bias", []int{191}, make([]float32, 191))),
		`tensor "encoder.layer.3.attention.attention.key.bias" is missing`:   replaceNamed(huggingFaceEntries(""), "encoder.layer.3.attention.attention.key.bias"),
	} {
		f, err := Open(saved(t, nil, list))
		if err == nil {
			if _, err = f.Architecture("teacher"); err == nil {
				n, _ := f.Network("teacher")
				err = n.Check(BackbonePrefix, params)
			}
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for want, root := range map[string]any{
		"no dict was saved":  3,
		"epoch is no tensor": func() any { d := &pth.Dict{}; set(t, d, "epoch", 3); return d }(),
		`without "student"`:  func() any { d := &pth.Dict{}; set(t, d, "teacher", &pth.Dict{}); return d }(),
		"no tensors":         &pth.Dict{},
	} {
		if _, err := Open(pickled(t, root)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds none of checkpoint.safetensors") {
		t.Error(err)
	}
}

func replaceNamed(list []safetensors.Entry, name string, e ...safetensors.Entry) []safetensors.Entry {
	i := slices.IndexFunc(list, func(e safetensors.Entry) bool { return e.Name == name })
	return slices.Replace(list, i, i+1, e...)
}

// Other types are converted; each value here is exact in float32.
func TestConversion(t *testing.T) {
	raw := func(dtype safetensors.Type, shape []int, b ...byte) safetensors.Entry {
		return safetensors.Entry{Name: "x", Type: dtype, Shape: shape, Data: func(w io.Writer) error { _, err := w.Write(b); return err }}
	}
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		entry safetensors.Entry
		want  []float32
	}{
		{raw(safetensors.F16, []int{6}, 0, 0x3c, 0, 0xb4, 0xff, 0x7b, 1, 0, 0, 0xfc, 0xff, 3), []float32{1, -0.25, 65504, 1.0 / (1 << 24), -inf, 1023.0 / (1 << 24)}},
		{raw(safetensors.BF16, []int{2}, 0x80, 0x3f, 0x20, 0xc0), []float32{1, -2.5}},
		{safetensors.Values("x", []int{2}, []float64{0.5, -3}), []float32{0.5, -3}},
		{safetensors.Values("x", []int{1}, []int64{-7}), []float32{-7}},
	} {
		f := mustOpen(t, saved(t, nil, []safetensors.Entry{c.entry}))
		n, err := f.Network("")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(c.want))
		if err := n.Tensors[0].ReadF32(got); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.entry.Type, got, err)
		}
		if err := n.Tensors[0].ReadF32(make([]float32, len(c.want)+1)); err == nil {
			t.Error("more elements than there are")
		}
	}
}

// The names of Hugging Face and of the reference go back and forth.
func TestToHuggingFace(t *testing.T) {
	for name, want := range map[string][]string{
		"blocks.11.mlp.fc1.weight": {"encoder.layer.11.intermediate.dense.weight"},
		"norm.bias":                {"layernorm.bias"},
		"cls_token":                {"embeddings.cls_token"},
		"patch_embed.proj.bias":    {"embeddings.patch_embeddings.projection.bias"},
		"blocks.2.attn.qkv.bias": {"encoder.layer.2.attention.attention.query.bias",
			"encoder.layer.2.attention.attention.key.bias", "encoder.layer.2.attention.attention.value.bias"},
		"head.mlp.0.weight": nil,
	} {
		if got := ToHuggingFace(name); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, p := range small.Params() {
		if len(ToHuggingFace(p.Name)) == 0 {
			t.Errorf("%s has no name there", p.Name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	list := []safetensors.Entry{
		safetensors.Values("module.blocks.0.norm1.weight", []int{2}, []float32{1, 2}),
		safetensors.Values("patch_embed.proj.weight", []int{1, 3, 1, 1}, []float32{1, 2, 3}),
		safetensors.Values("pos_embed", []int{1, 2, 1}, []float32{1, 2}),
	}
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(read(saved(f, nil, list)))
	f.Add(read(pickled(f, dict(f, list))))
	f.Add(read(saved(f, map[string]string{"format": RunFormat}, list)))
	f.Add(read(training(f, trainingParts(f))))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, fmt.Sprintf("weights%d", os.Getpid()))
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		_, _ = file.Architecture("teacher")
		if tr := file.Training; tr != nil {
			_, _ = tr.Steps("backbone.w")
			_, _ = tr.Moment("backbone.w", "exp_avg", []int{2, 1})
		}
		if n, err := file.Network("teacher"); err == nil {
			for _, x := range n.Tensors {
				_ = x.ReadF32(make([]float32, x.Len())) // the file bounds it
			}
		}
	})
}
