package onnx

import (
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/resnet"
	"dino-vk/vit"
)

// runtimeTolerance is how far ONNX Runtime's results may be from the device's,
// relative to the largest.
const runtimeTolerance = 1e-5

// TestRuntime compares files computed by ONNX Runtime with the device. The
// variable DINOVK_ONNXRUNTIME names a folder in which "npm install
// onnxruntime-node" was run.
func TestRuntime(t *testing.T) {
	folder := os.Getenv("DINOVK_ONNXRUNTIME")
	if folder == "" {
		t.Skip("DINOVK_ONNXRUNTIME is not set; make test-onnx sets it")
	}
	small := vit.Config{ImageSize: 224, PatchSize: 16, Dim: 384, Depth: 12, Heads: 6, InitStd: 0.02}
	fifty := resnet.Config{Bottleneck: true, Layers: []int{3, 4, 6, 3}, Width: 64, Stem: resnet.ImageNet}
	run := func(name string, m *dino.Model, size, n int) {
		t.Run(fmt.Sprintf("%s, %d pixels, %d images", name, size, n), func(t *testing.T) {
			images := gputest.Normal(uint64(size), n*3*size*size)
			wants := forward(t, m, images, n, size)
			got := onnxRuntime(t, folder, m, images, n, size)
			for _, name := range slices.Sorted(maps.Keys(wants)) {
				want := gputest.Float64(wants[name])
				most, worst := largest(want), 0.0
				for i, v := range got[:len(want)] {
					worst = max(worst, math.Abs(float64(v)-want[i])/most)
				}
				t.Logf("%s: %d values, relative error %.1e", name, len(want), worst)
				if !(worst <= runtimeTolerance) {
					t.Errorf("%s: relative error %g of allowed %g", name, worst, runtimeTolerance)
				}
				got = got[len(want):]
			}
			if len(got) > 0 {
				t.Errorf("%d values too many", len(got))
			}
		})
	}
	for _, test := range models {
		m := model(test.backbone)
		for _, size := range test.sizes {
			run(test.name, m, size, 1)
			run(test.name, m, size, 3)
		}
	}
	run("ViT-S/16", model(small), 224, 1)
	run("ViT-S/16", model(small), 96, 3)
	run("ResNet-50", model(fifty), 64, 2)
}

// onnxRuntime computes the outputs of a model's file, one behind the other in
// their names' order.
func onnxRuntime(t *testing.T, folder string, m *dino.Model, images []float32, n, size int) []float32 {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, data := range map[string][]byte{"model.onnx": written(t, m, size), "input": gpu.F32Bytes(images)} {
		if err := os.WriteFile(path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", filepath.Join("testdata", "run.js"),
		path("model.onnx"), path("input"), fmt.Sprint(n), fmt.Sprint(size), path("output"))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(folder, "node_modules"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	output, err := os.ReadFile(path("output"))
	if err != nil {
		t.Fatal(err)
	}
	return gpu.BytesF32(output)
}

// TestChecker lets the checker of ONNX's Python package read files, and infer
// the shapes of all values.
func TestChecker(t *testing.T) {
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import onnx").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("no Python with the package onnx; make test-onnx installs it")
	}
	const script = `import onnx, sys
onnx.checker.check_model(sys.argv[1], full_check=True)
onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]), check_type=True, strict_mode=True)`
	for _, test := range models {
		for _, size := range test.sizes {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, written(t, model(test.backbone), size), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(python, "-c", script, path).CombinedOutput(); err != nil {
				t.Errorf("%s, %d pixels: %v: %s", test.name, size, err, out)
			}
		}
	}
}
