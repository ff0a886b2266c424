package bench

import (
	"encoding/xml"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"dino-vk/gpu"
)

func exampleResult() *Result {
	r := NewResult(gpu.Info{Caps: gpu.Caps{Kind: gpu.CPU}, Name: "llvmpipe (LLVM 15.0.6, 256 bits)", Driver: "llvmpipe", DriverVersion: "Mesa 22.3.6"},
		[]gpu.Fault{{Variant: "gemm_lanes", Reason: "differs"}, {Variant: "conv_texel", Reason: "differs"}})
	r.Peaks = &Peaks{GFLOPs: 100, GBs: 20, CopyShader: 5, CopyBuffer: 20}
	r.Steps = []Steps{{Recipe: "small", Precision: "fp32", Batch: 64, Count: 3, Milliseconds: Spread{640, 600, 700}, ImagesPerSecond: 100, GFLOPs: 73, Loss: 5.1}}
	r.PyTorch = []PyTorch{
		{Recipe: "small", Variant: Plain, Precision: "fp32", Batch: 64, Version: "2.0", Threads: "GPU", Theirs: 100, Ours: 50, Losses: []float32{5}, Error: 1e-6},
		{Recipe: "small", Variant: Compiled, Precision: "fp32", Batch: 64, Version: "2.0", Threads: "GPU", Theirs: 200, Ours: 50, Losses: []float32{5}, Error: 1e-2},
	}
	r.Kernels = []Kernel{
		{Recipe: "small", Batch: 64, Operation: "qkv", Shape: "(2, 3) → 5", Pass: "forward", Milliseconds: Spread{2, 1, 3}, GFLOPs: 25, GBs: 4,
			Parts: []Part{{"gemm", 2, 2}}},
	}
	r.Goals = []Goal{{"step", 0.5}, {"gpu-idle", 0.01}}
	r.Host = []Host{{Recipe: "small", Batch: 64, Precision: "fp32", Count: 3, Milliseconds: Spread{0.2, 0.1, 0.3}, Submits: 1, Idle: 0.01}}
	r.Growth = []Growth{{Recipe: "small", Precision: "fp32", Of: GrowthBatch, Deviation: 0.1, Steps: []SizeTime{{1, 65, 2, 3}, {2, 65, 4, 6}}}}
	r.Pairs = []Pair{{Recipe: "small", Batch: 64, Operation: "qkv", Shape: "(2, 3) → 5", Pass: "forward", Type: "float32", Times: 4, Ours: 2, Plain: 3, Best: 1, How: "fused"}}
	r.Shaders = []CompiledShader{{Kernel: "gemm", Shader: "gemm TAIL=0", Use: Picked, SubgroupSize: 32, Vector: 60, Scalar: 20, SharedBytes: 512, CodeBytes: 900}}
	return r
}

func TestResult(t *testing.T) {
	dir, r := filepath.Join(t.TempDir(), "new"), exampleResult()
	path, err := r.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "llvmpipe-mesa-22-3-6.md"); path != want {
		t.Errorf("written to %s, want %s", path, want)
	}
	file := strings.TrimSuffix(path, ".md") + ".json"
	got, err := ReadResult(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v, want %+v", got, r)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# llvmpipe (LLVM 15.0.6, 256 bits)\n", "100 GFLOP/s of fp32",
		"Switched off for their faults: gemm_lanes, conv_texel\n",
		"| small | fp32 | 64 | 100 | 640 | 600 to 700 | 3 | 73.0 | 73.0 % |\n",
		"- small, batch 64, fp32: 50.0 images/s, PyTorch 2.0 (compiled, GPU) 200 images/s: 0.25 of its speed;",
		"## Kernels: small, batch 64\n",
		"| qkv | (2, 3) → 5 | forward | float32 | 2.00 | 1.00 to 3.00 | 25.0 | 25.0 % | 4.00 | 20.0 % | gemm ×2: 2.00 |\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestRoofline checks that the picture is XML, and where a kernel lies in it: on
// a roof if it is as fast as that lets it.
func TestRoofline(t *testing.T) {
	r := &Result{Peaks: &Peaks{GFLOPs: 1000, GBs: 100}, Kernels: []Kernel{
		{Operation: "slope", Shape: "<&>", Pass: "forward", GFLOPs: 100, GBs: 100},
		{Operation: "flat", Pass: "backward", GFLOPs: 1000, GBs: 10},
		{Operation: "copy", Pass: "forward", GBs: 90}, // multiplies nothing
	}}
	picture := r.Roofline()
	var all struct {
		Lines []struct {
			X1 float64 `xml:"x1,attr"`
			Y1 float64 `xml:"y1,attr"`
			X2 float64 `xml:"x2,attr"`
			Y2 float64 `xml:"y2,attr"`
		} `xml:"line"`
		Discs []struct {
			X     float64 `xml:"cx,attr"`
			Y     float64 `xml:"cy,attr"`
			Title string  `xml:"title"`
		} `xml:"circle"`
	}
	if err := xml.Unmarshal([]byte(picture), &all); err != nil {
		t.Fatalf("%v in\n%s", err, picture)
	}
	if strings.Count(picture, "<title>") != 2 || !strings.Contains(all.Discs[0].Title, "<&>") {
		t.Errorf("points:\n%s", picture)
	}
	on := false // a line through the disc, which is no axis
	for _, l := range all.Lines {
		d := all.Discs[0]
		if l.X1 != l.X2 && l.Y1 != l.Y2 && l.X1 <= d.X && d.X <= l.X2 {
			y := l.Y1 + (d.X-l.X1)/(l.X2-l.X1)*(l.Y2-l.Y1)
			on = on || math.Abs(y-d.Y) < 0.2 // the picture has a digit after the point
		}
	}
	if !on {
		t.Errorf("no roof goes through %+v:\n%s", all.Discs[0], picture)
	}
	if r.Peaks = nil; r.Roofline() != "" {
		t.Error("a picture without peaks")
	}
}

// TestResultKeeps checks that a later measurement of other parts adds to the
// file, and one of the same parts or of another driver replaces them.
func TestResultKeeps(t *testing.T) {
	dir := t.TempDir()
	write := func(r *Result) *Result {
		t.Helper()
		path, err := r.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadResult(strings.TrimSuffix(path, ".md") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := exampleResult()
	write(first)

	steps := exampleResult()
	steps.Peaks, steps.Kernels, steps.PyTorch, steps.Shaders = nil, nil, nil, nil
	steps.Goals = []Goal{{"step", 0.7}}
	steps.Steps[0].Loss = 4
	steps.Steps = append(steps.Steps, Steps{Recipe: "vit-s16"})
	got := write(steps)
	if !reflect.DeepEqual(got.Peaks, first.Peaks) || !reflect.DeepEqual(got.Kernels, first.Kernels) {
		t.Errorf("lost what only the first result had: %+v", got)
	}
	if !reflect.DeepEqual(got.Shaders, first.Shaders) || !reflect.DeepEqual(got.Goals, []Goal{{"gpu-idle", 0.01}, {"step", 0.7}}) {
		t.Errorf("shaders %+v, goals %v", got.Shaders, got.Goals)
	}
	if !reflect.DeepEqual(got.PyTorch, first.PyTorch) {
		t.Errorf("comparisons %+v, want %+v", got.PyTorch, first.PyTorch)
	}
	if len(got.Steps) != 2 || got.Steps[0].Loss != 4 || got.Steps[1].Recipe != "vit-s16" {
		t.Errorf("steps %+v", got.Steps)
	}

	other := exampleResult()
	other.Device.DriverVersion = "Mesa 25.0.7"
	other.Kernels = nil
	if got := write(other); got.Kernels != nil {
		t.Errorf("kept the kernels of another driver: %+v", got)
	}
}

func TestReadResult(t *testing.T) {
	if _, err := ReadResult(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
	path := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadResult(path); err == nil || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("a broken file gives %v", err)
	}
}
