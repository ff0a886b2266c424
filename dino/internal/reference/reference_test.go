package reference

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.String("update", "", "trim the set in this folder anew into dino/testdata/reference")

// testdata lists the files kept with the tests, within 10 MB: every family
// that is tested, with the smallest cases that reach every path.
var testdata = []string{
	"schedules/schedules.safetensors",
	"optim/problem.safetensors", "optim/adamw.safetensors", "optim/sgd.safetensors", "optim/lars.safetensors",
	"dino_loss/epoch0.safetensors", "dino_loss/epoch40.safetensors",
	"dino_loss/large_logits.safetensors", "dino_loss/two_crops.safetensors",
	"dino_head/bn.safetensors", "dino_head/free.safetensors",
	"resnet/bottleneck_w6.weights.safetensors", "resnet/bottleneck_w6.pass.safetensors",
	"knn/data.safetensors",
	"augment/image.safetensors", "augment/pipeline.safetensors",
	"vit_forward/p4d64.weights.safetensors", "vit_forward/p4d64.32x32.safetensors", "vit_forward/p4d64.16x16.safetensors",
	"vit_forward/p8d96.weights.safetensors", "vit_forward/p8d96.24x24.safetensors", "vit_forward/p8d96.44x61.safetensors",
	"vit_backward/p4d64.16x16.safetensors",
	"train_trajectory/crops.safetensors",
	"train_trajectory/norm.init.safetensors", "train_trajectory/norm.steps.safetensors",
	"train_trajectory/free.init.safetensors", "train_trajectory/free.steps.safetensors",
}

// TestTrim makes the kept set anew with -update FOLDER; otherwise it checks
// that trimming the kept set changes nothing.
func TestTrim(t *testing.T) {
	kept := Set{filepath.Join("..", "..", "testdata", "reference")}
	if *update != "" {
		if err := Trim(*update, kept.Dir, testdata); err != nil {
			t.Fatal(err)
		}
	}
	again := t.TempDir()
	if err := Trim(kept.Dir, again, testdata); err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, e := range index(t, kept) {
		a, err1 := os.ReadFile(filepath.Join(kept.Dir, e.Path))
		b, err2 := os.ReadFile(filepath.Join(again, e.Path))
		if err1 != nil || err2 != nil || hash(a) != hash(b) {
			t.Errorf("%s changed: %v %v", e.Path, err1, err2)
		}
		total += e.Bytes
	}
	if total > 10_000_000 {
		t.Errorf("the kept set has %d bytes, at most 10 MB are wanted", total)
	}
}

func index(t *testing.T, s Set) []indexEntry {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Files []indexEntry }
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m.Files
}

// TestIndex checks that the set under test is whole.
func TestIndex(t *testing.T) {
	s := Default()
	for _, e := range index(t, s) {
		b, err := os.ReadFile(filepath.Join(s.Dir, e.Path))
		if err != nil {
			t.Error(err)
		} else if int64(len(b)) != e.Bytes || hash(b) != e.SHA256 {
			t.Errorf("%s: %d bytes, hash %s, the index says %d, %s", e.Path, len(b), hash(b), e.Bytes, e.SHA256)
		}
	}
}

func TestMeasure(t *testing.T) {
	want := []float32{3, -4, 0}
	got := []float32{3, -4, 0.5}
	for name, expected := range map[string]float64{"rel_l2": 0.1, "rel_max": 0.125, "abs": 0.5} {
		if e, err := Measure(name, got, want); err != nil || math.Abs(e-expected) > 1e-12 {
			t.Errorf("%s: %v, want %v (%v)", name, e, expected, err)
		}
		if e, _ := Measure(name, []float32{3, float32(math.NaN()), 0}, want); !math.IsNaN(e) {
			t.Errorf("%s: a NaN measures %v", name, e)
		}
		if e, _ := Measure(name, []float32{0, 0.25}, []float32{0, 0}); math.Abs(e-0.25) > 1e-12 {
			t.Errorf("%s: against zeros %v", name, e)
		}
	}
	if _, err := Measure("ulp", got, want); err == nil {
		t.Error("an unknown measure was accepted")
	}
}
