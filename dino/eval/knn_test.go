package eval

import (
	"slices"
	"testing"

	"dino-vk/gpu/gputest"
)

func TestMain(m *testing.M) { gputest.Main(m) }

func TestKNN(t *testing.T) {
	dev := gputest.Open(t)
	// Four candidates on two axes; lengths don't matter to a cosine.
	train := []float32{1, 0, 5, 1, 0, 2, -1, 0}
	labels := []int{0, 0, 1, 2}
	k, err := NewKNN(dev.Caps(), 4, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // Close gives the memory back, Start takes it again
		if err := k.Start(dev, train); err != nil {
			t.Fatal(err)
		}
		found, err := k.Search(t.Context(), []float32{3, 0, 0.1, 1})
		if err != nil {
			t.Fatal(err)
		}
		k.Close()
		if want := []int{0, 1, 2, 2, 1, 0}; !slices.Equal(found.Numbers, want) {
			t.Fatalf("neighbours %v, want %v", found.Numbers, want)
		}
		rankings := found.Classify(labels, 3, Temperature)
		if !slices.Equal(rankings[0], Ranking{0, 1}) || !slices.Equal(rankings[1], Ranking{1, 0}) {
			t.Errorf("rankings %v", rankings)
		}
		if a := Accuracy(rankings, []int{0, 0}, 1); a != 50 {
			t.Errorf("top-1 %g %%, want 50", a)
		}
		if a := Accuracy(rankings, []int{0, 0}, 5); a != 100 {
			t.Errorf("top-5 %g %%, want 100", a)
		}
	}
}

// Equal votes must not depend on the order of a map.
func TestClassifyTies(t *testing.T) {
	n := Neighbours{K: 2, Numbers: []int{0, 1}, Similarities: []float32{0.5, 0.5}}
	for range 20 {
		if r := n.Classify([]int{7, 3}, 2, Temperature); !slices.Equal(r[0], Ranking{3, 7}) {
			t.Fatalf("ranking %v, want [3 7]", r[0])
		}
	}
}

func TestNewKNNRefuses(t *testing.T) {
	dev := gputest.Open(t)
	for _, k := range []int{0, 5} {
		if _, err := NewKNN(dev.Caps(), 4, 2, k); err == nil {
			t.Errorf("%d neighbours of 4 features were accepted", k)
		}
	}
}
