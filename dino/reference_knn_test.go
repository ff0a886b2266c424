package dino

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dino-vk/dino/eval"
	"dino-vk/dino/internal/reference"
	"dino-vk/gpu/gputest"
)

// knnResult is what the reference's classifier said with k neighbours.
type knnResult struct {
	K       int
	T       float64
	Top1    float64
	Top5Min float64 `json:"top5_min"` // over all orders of classes without a vote
	Top5Max float64 `json:"top5_max"`
}

func TestReferenceKNN(t *testing.T) {
	family := reference.Default().Family(t, "knn")
	var results []knnResult
	family.Decode(t, "results", &results)
	if len(results) == 0 {
		t.Fatal("the manifest has no results")
	}
	for _, f := range family.Files {
		t.Run(f.Name, func(t *testing.T) {
			train, trainLabels := f.F32(t, "train_features"), integers(f.I64(t, "train_labels"))
			test, testLabels := f.F32(t, "test_features"), integers(f.I64(t, "test_labels"))
			shape := f.Tensor(t, "train_features").Shape
			most := slices.MaxFunc(results, func(a, b knnResult) int { return a.K - b.K }).K

			dev := gputest.Open(t)
			knn, err := eval.NewKNN(dev.Caps(), shape[0], shape[1], most)
			if err != nil {
				t.Fatal(err)
			}
			if err := knn.Start(dev, train); err != nil {
				t.Fatal(err)
			}
			defer knn.Close()
			found, err := knn.Search(t.Context(), test)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range results {
				t.Run(fmt.Sprintf("k%d", want.K), func(t *testing.T) {
					rankings := found.Classify(trainLabels, want.K, want.T)
					checkPredictions(t, rankings, f.I64(t, fmt.Sprintf("pred_k%d", want.K)))
					checkVotes(t, f, found, trainLabels, want, shape[1])
					top1, top5 := eval.Accuracy(rankings, testLabels, 1), eval.Accuracy(rankings, testLabels, 5)
					t.Logf("top-1 %g %% (reference %g), top-5 %g %% (reference %g, from %g to %g)",
						top1, want.Top1, top5, f.F64(t, "top5")[i], want.Top5Min, want.Top5Max)
					if top1 != want.Top1 || top1 != f.F64(t, "top1")[i] {
						t.Errorf("top-1 is %g %%, want %g", top1, want.Top1)
					}
					if top5 < want.Top5Min || top5 > want.Top5Max {
						t.Errorf("top-5 is %g %%, want %g to %g", top5, want.Top5Min, want.Top5Max)
					}
				})
			}
		})
	}
}

func integers(v []int64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

func checkPredictions(t *testing.T, rankings []eval.Ranking, want []int64) {
	t.Helper()
	if len(rankings) != len(want) {
		t.Fatalf("%d queries were ranked, want %d", len(rankings), len(want))
	}
	for q, r := range rankings {
		if len(r) == 0 || int64(r[0]) != want[q] {
			t.Errorf("query %d is taken for %v, want %d", q, r, want[q])
		}
	}
}

// checkVotes compares every class's votes: none where the reference has none,
// else within the rounding of the similarities. A sum of D products of two unit
// vectors is off by at most D·ε on either side, each vector's scaling by a few
// ε more, and a vote exp(s/T) by the similarity's error over T, relatively.
func checkVotes(t *testing.T, f *reference.File, n eval.Neighbours, labels []int, result knnResult, width int) {
	t.Helper()
	votes := f.Tensor(t, fmt.Sprintf("votes_k%d", result.K))
	want, classes := f.F32(t, votes.Name), votes.Shape[1]
	got := make([]float64, len(want))
	for q := range votes.Shape[0] {
		for place := q * n.K; place < q*n.K+result.K; place++ {
			got[q*classes+labels[n.Numbers[place]]] += math.Exp(float64(n.Similarities[place]) / result.T)
		}
	}
	limit, worst := float64(2*width+8)*gputest.Epsilon/result.T, 0.0
	for i, w := range want {
		if w == 0 || got[i] == 0 {
			if float64(w) != got[i] {
				t.Errorf("query %d, class %d: votes %g, want %g", i/classes, i%classes, got[i], w)
			}
			continue
		}
		worst = max(worst, math.Abs(got[i]-float64(w))/float64(w))
	}
	t.Logf("votes within %.2g (limit %.2g)", worst, limit)
	if !(worst <= limit) {
		t.Errorf("votes are off by %.3g, at most %.3g is rounding", worst, limit)
	}
}
