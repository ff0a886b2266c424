package eval

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu/gputest"
)

// Every prediction and both accuracies for every k. Where a class among the
// first five got no vote, the reference's top-5 depends on the order in which
// it sorts zeros; any figure between its bounds is right.
func TestReferenceKNN(t *testing.T) {
	family := reference.Default().Family(t, "knn")
	var config struct {
		Ks []int
		T  float64
	}
	family.Decode(t, "config", &config)
	var results []struct {
		K       int
		Top1    float64
		Top5Min float64 `json:"top5_min"`
		Top5Max float64 `json:"top5_max"`
	}
	family.Decode(t, "results", &results)
	if len(results) == 0 || len(results) != len(config.Ks) {
		t.Fatalf("%d results for %d values of k", len(results), len(config.Ks))
	}
	f := family.File("data")
	train := f.Tensor(t, "train_features").Shape
	dev := gputest.Open(t)
	knn, err := NewKNN(dev.Caps(), train[0], train[1], slices.Max(config.Ks))
	if err != nil {
		t.Fatal(err)
	}
	if err := knn.Start(dev, f.F32(t, "train_features")); err != nil {
		t.Fatal(err)
	}
	defer knn.Close()
	found, err := knn.Search(t.Context(), f.F32(t, "test_features"))
	if err != nil {
		t.Fatal(err)
	}
	trainLabels, labels := ints(f.I64(t, "train_labels")), ints(f.I64(t, "test_labels"))
	for _, want := range results {
		t.Run(fmt.Sprintf("k=%d", want.K), func(t *testing.T) {
			rankings := found.Classify(trainLabels, want.K, config.T)
			wrong := 0
			for i, class := range ints(f.I64(t, fmt.Sprintf("pred_k%d", want.K))) {
				if rankings[i][0] != class {
					wrong++
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d predictions differ", wrong, len(rankings))
			}
			top1, top5 := Accuracy(rankings, labels, 1), Accuracy(rankings, labels, 5)
			t.Logf("top-1 %.2f (reference %.2f), top-5 %.2f (%.2f to %.2f)", top1, want.Top1, top5, want.Top5Min, want.Top5Max)
			const rounding = 0.01 // the manifest gives percent, to two digits at least
			if math.Abs(top1-want.Top1) > rounding {
				t.Errorf("top-1 %g %%, want %g", top1, want.Top1)
			}
			if top5 < want.Top5Min-rounding || top5 > want.Top5Max+rounding {
				t.Errorf("top-5 %g %%, want %g to %g", top5, want.Top5Min, want.Top5Max)
			}
		})
	}
}

func ints(values []int64) []int {
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out
}
