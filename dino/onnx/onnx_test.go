package onnx

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
	"dino-vk/gpu/ref"
	"dino-vk/resnet"
	"dino-vk/vit"
)

func TestMain(m *testing.M) { gputest.Main(m) }

// models are what the tests write.
var models = []struct {
	name     string
	backbone dino.Backbone
	sizes    []int // of images
}{
	{"ViT, patch 4", vit.Config{ImageSize: 16, PatchSize: 4, Dim: 32, Depth: 2, Heads: 2, InitStd: 0.3}, []int{16, 24, 14}},
	{"ViT, patch 8", vit.Config{ImageSize: 24, PatchSize: 8, Dim: 24, Depth: 1, Heads: 3, InitStd: 0.3}, []int{24, 31, 8}},
	{"ResNet", resnet.Config{Layers: []int{1, 2}, Width: 8, Stem: resnet.ImageNet}, []int{32, 25}},
	{"ResNet of bottlenecks", resnet.Config{Bottleneck: true, Layers: []int{2, 1}, Width: 4, Stem: resnet.CIFAR}, []int{8, 7}},
}

// model has weights that leave nothing at 0 or 1.
func model(backbone dino.Backbone) *dino.Model {
	return &dino.Model{Backbone: backbone, Values: func(p op.Param) ([]float32, error) {
		values := p.Values(1)
		for i, v := range gputest.Normal(uint64(len(p.Name)), len(values)) {
			values[i] += v / 10
		}
		return values, nil
	}}
}

// forward computes on the device what a file gives of images (n, 3, size, size),
// by name.
func forward(t *testing.T, m *dino.Model, images []float32, n, size int) map[string][]float32 {
	t.Helper()
	c := gputest.New(t)
	tape := op.NewTape(c.Graph)
	weights := map[string]*gpu.Tensor{}
	for _, p := range m.Params() {
		values, err := m.Values(p)
		if err != nil {
			t.Fatal(err)
		}
		weights[p.Name] = c.Input(p.Name, values, p.Shape...)
	}
	w := func(name string) *gpu.Tensor { return weights[name] }
	x := c.Input("image", images, n, 3, size, size)
	features := c.Keep(m.Forward(tape, w, op.Mode{}, x))
	switch b := m.Backbone.(type) {
	case vit.Config:
		blocks := b.Blocks(tape, w, op.Mode{}, x).Blocks
		tokens := c.Keep(b.Norm(tape, w, blocks[len(blocks)-1]))
		c.Run()
		var patches []float32
		for sequence := range slices.Chunk(c.Floats(tokens), b.Tokens(size, size)*b.Dim) {
			patches = append(patches, sequence[b.Dim:]...)
		}
		return map[string][]float32{"cls": c.Floats(features), "patches": patches}
	case resnet.Config:
		stages := b.Stages(tape, w, op.Mode{}, x).Stages
		last := c.Keep(stages[len(stages)-1]) // (n, H, W, C)
		c.Run()
		maps := ref.NHWC(gputest.Float64(c.Floats(last)), n, last.Dim(1)*last.Dim(2), last.Dim(3)) // and back
		return map[string][]float32{"features": c.Floats(features), "maps": narrow(maps)}
	}
	t.Fatalf("%T", m.Backbone)
	return nil
}

func written(t *testing.T, m *dino.Model, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m, size); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWrite computes what was written by ONNX's definitions, in float64, and
// compares with the device.
func TestWrite(t *testing.T) {
	for _, test := range models {
		for _, size := range test.sizes {
			t.Run(fmt.Sprintf("%s, %d pixels", test.name, size), func(t *testing.T) {
				m := model(test.backbone)
				f := readFile(t, written(t, m, size))
				checkWeights(t, f, m)
				for _, n := range []int{1, 3} {
					images := gputest.Normal(uint64(size), n*3*size*size)
					got := forward(t, m, images, n, size)
					values := f.interpret(t, array{[]int{n, 3, size, size}, gputest.Float64(images), 0})
					for _, out := range f.outputs {
						want := values[out.name]
						if out.shape[0] != -1 || !slices.Equal(out.shape[1:], want.shape[1:]) || want.shape[0] != n {
							t.Errorf("%s is declared as %v and is %v", out.name, out.shape, want.shape)
						}
						bound := gputest.EpsOf(want.roundings, largest(want.data))
						if err := gputest.Compare(got[out.name], want.data, bound); err != nil {
							t.Errorf("%s of %d images: %v", out.name, n, err)
						}
						delete(got, out.name)
					}
					if len(got) != 0 {
						t.Errorf("%d of the outputs are missing", len(got))
					}
				}
			})
		}
	}
}

func largest(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		most = max(most, math.Abs(v))
	}
	return most
}

// checkWeights fails the test unless the file has every weight bit for bit, and
// nothing that no node takes.
func checkWeights(t *testing.T, f file, m *dino.Model) {
	t.Helper()
	if f.ir != 7 || f.opset != 13 || f.input.name != "image" {
		t.Errorf("IR version %d, opset %d, input %s", f.ir, f.opset, f.input.name)
	}
	taken := map[string]bool{}
	for _, n := range f.nodes {
		for _, x := range n.inputs {
			taken[x] = true
		}
	}
	for i, name := range f.constants {
		if !taken[name] || slices.Contains(f.constants[:i], name) {
			t.Errorf("no node takes the constant %q, or there are two", name)
		}
	}
	for _, p := range m.Params() {
		if p.Name == "cls_token" || p.Name == "pos_embed" {
			continue // the forward depends on them
		}
		if strings.HasSuffix(p.Name, ".num_batches_tracked") {
			continue // only training needs it
		}
		values, err := m.Values(p)
		if err != nil {
			t.Fatal(err)
		}
		x := f.floats[p.Name]
		if !slices.Equal(x.shape, p.Shape) || !slices.Equal(x.data, gputest.Float64(values)) {
			t.Errorf("%s %v is not the weight %v", p.Name, x.shape, p.Shape)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	small := vit.Config{ImageSize: 16, PatchSize: 4, Dim: 32, Depth: 1, Heads: 2}
	huge := small
	huge.Dim, huge.Depth = 4096, 16
	broken := model(small)
	broken.Values = func(p op.Param) ([]float32, error) { return nil, fmt.Errorf("%s: damaged", p.Name) }
	short := model(small)
	short.Values = func(p op.Param) ([]float32, error) { return make([]float32, 1), nil }
	for _, test := range []struct {
		name  string
		model *dino.Model
		size  int
		want  string
	}{
		{"no patch", model(small), 3, "no patch"},
		{"no pixel", model(resnet.Config{Layers: []int{1}, Width: 1, Stem: resnet.CIFAR}), 0, "0 pixels"},
		{"no form", dino.RawPixels(8), 8, "no ONNX form"},
		{"too large", model(huge), 16, "2 GiB"},
		{"too large an image", model(small), 1 << 17, "2 GiB"},
		{"unreadable weight", broken, 16, "patch_embed.proj.weight: damaged"},
		{"wrong length", short, 16, "patch_embed.proj.weight"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Write(io.Discard, test.model, test.size)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func narrow(wide []float64) []float32 {
	values := make([]float32, len(wide))
	for i, v := range wide {
		values[i] = float32(v)
	}
	return values
}
