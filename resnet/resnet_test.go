package resnet

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// TestSizes compares with torchvision's networks without their classifier: the
// numbers are those that its documentation gives less the 1000 · (features + 1)
// of fc.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		arch                        string
		documented, features, norms int
	}{
		{"resnet18", 11_689_512, 512, 20},
		{"resnet34", 21_797_672, 512, 36},
		{"resnet50", 25_557_032, 2048, 53},
		{"resnet101", 44_549_160, 2048, 104},
	} {
		i := slices.IndexFunc(Archs, func(a Arch) bool { return a.Name == c.arch })
		if i < 0 {
			t.Fatalf("no %s", c.arch)
		}
		r := Config{Bottleneck: Archs[i].Bottleneck, Layers: Archs[i].Layers, Width: 64, Stem: ImageNet}
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		trained, buffers := 0, 0
		names := map[string]bool{}
		for _, p := range r.Params() {
			if names[p.Name] {
				t.Errorf("%s: %s twice", c.arch, p.Name)
			}
			names[p.Name] = true
			if p.Buffer {
				buffers++
			} else {
				trained += p.Len()
			}
		}
		if want := c.documented - 1000*(c.features+1); trained != want || r.Features() != c.features || buffers != 3*c.norms {
			t.Errorf("%s: %d weights, %d features, %d statistics; want %d, %d, %d",
				c.arch, trained, r.Features(), buffers, want, c.features, 3*c.norms)
		}
	}
}

// TestStart checks the first weights: N(0, 2/fan out), and of batch norm 1 and 0.
func TestStart(t *testing.T) {
	r := Config{Layers: []int{1, 1}, Width: 32, Stem: CIFAR}
	for _, p := range r.Params() {
		values := p.Values(1)
		var mean, square float64
		for _, v := range values {
			mean += float64(v) / float64(len(values))
			square += float64(v) * float64(v) / float64(len(values))
		}
		if len(p.Shape) != 4 {
			want := 0.0
			if strings.HasSuffix(p.Name, ".weight") || strings.HasSuffix(p.Name, ".running_var") {
				want = 1
			}
			if mean != want || square != want {
				t.Errorf("%s starts with mean %g", p.Name, mean)
			}
			continue
		}
		// Mean and mean square of n normal values, within 5 of their deviations.
		n, variance := float64(len(values)), 2/float64(p.Shape[0]*p.Shape[2]*p.Shape[3])
		if math.Abs(mean) > 5*math.Sqrt(variance/n) || math.Abs(square-variance) > 5*variance*math.Sqrt(2/n) {
			t.Errorf("%s: mean %g, mean square %g, want 0 and %g", p.Name, mean, square, variance)
		}
	}
}

// TestMaps follows the sizes of the maps through both stems.
func TestMaps(t *testing.T) {
	for _, c := range []struct {
		stem Stem
		want string
	}{
		{ImageNet, "[[3 16 16 8] [3 16 16 32] [3 8 8 64] [3 4 4 128] [3 2 2 256] [3 256]]"},
		{CIFAR, "[[3 64 64 8] [3 64 64 32] [3 32 32 64] [3 16 16 128] [3 8 8 256] [3 256]]"},
	} {
		r := Config{Bottleneck: true, Layers: []int{2, 1, 1, 1}, Width: 8, Stem: c.stem}
		s, tape := gpu.NewStore(), op.NewTape(gpu.NewGraph(gpu.MinimalCaps))
		list := map[string]*gpu.Tensor{}
		for _, p := range r.Params() {
			list[p.Name] = s.New(p.Name, gpu.F32, p.Shape...)
		}
		out := r.Stages(tape, func(name string) *gpu.Tensor { return list[name] }, op.Mode{Train: true}, s.New("x", gpu.F32, 3, 3, 64, 64))
		if err := tape.G.Err(); err != nil {
			t.Fatal(err)
		}
		shapes := [][]int{out.Stem.Shape}
		for _, stage := range out.Stages {
			shapes = append(shapes, stage.Shape)
		}
		if got := fmt.Sprint(append(shapes, out.Features.Shape)); got != c.want {
			t.Errorf("%s: %s, want %s", c.stem, got, c.want)
		}
	}
	for _, bad := range []Config{{}, {Layers: []int{1, 0}, Width: 8, Stem: CIFAR}, {Layers: []int{1}, Stem: CIFAR}, {Layers: []int{1}, Width: 8}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is valid", bad)
		}
	}
}

// TestConvolutions checks that the list has each weight of a convolution once.
func TestConvolutions(t *testing.T) {
	for _, a := range Archs {
		c := Config{Bottleneck: a.Bottleneck, Layers: a.Layers, Width: 8, Stem: ImageNet}
		want := map[string]int{}
		for _, p := range c.Params() {
			if len(p.Shape) == 4 {
				want[fmt.Sprint(p.Shape)]++
			}
		}
		list := c.Convolutions()
		for _, l := range list {
			want[fmt.Sprint([]int{l.Out, l.In, l.Side, l.Side})]--
		}
		for shape, n := range want {
			if n != 0 {
				t.Errorf("%s: %d more weights %s than layers", a.Name, n, shape)
			}
		}
		if last := list[len(list)-1]; last.Scale != 32 || !last.Residual || !last.ReLU {
			t.Errorf("%s ends with %+v", a.Name, last)
		}
	}
}
