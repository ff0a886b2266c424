package op

import (
	"fmt"
	"testing"

	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

func TestNearestNeighbours(t *testing.T) {
	for _, size := range []struct{ queries, candidates, width, k int }{
		{1, 1, 1, 1}, {3, 33, 4, 33}, {31, 97, 5, 10}, {33, 500, 32, 20}, {65, 1009, 16, 200},
		{2, candidatesAtOnce + 70, 3, 5}, // two stretches of candidates
	} {
		t.Run(fmt.Sprintf("%+v", size), func(t *testing.T) {
			// Small whole numbers: products are exact, and many are equal.
			queries := wholeNumbers(gputest.Uniform(1, size.queries*size.width, -3, 4))
			candidates := wholeNumbers(gputest.Uniform(2, size.candidates*size.width, -3, 4))
			c := gputest.New(t)
			values, numbers := NearestNeighbours(c.Graph,
				c.Input("queries", queries, size.queries, size.width),
				c.Input("candidates", candidates, size.candidates, size.width), size.k)
			values, numbers = c.Keep(values), c.Keep(numbers)
			c.Run()
			gotValues, gotNumbers := c.Floats(values), c.Words(numbers)
			for q := range size.queries {
				scores := make([]float64, size.candidates)
				for i := range scores {
					for d := range size.width {
						scores[i] += float64(queries[q*size.width+d]) * float64(candidates[i*size.width+d])
					}
				}
				for place, want := range ref.TopK(scores, size.k) {
					at := q*size.k + place
					if gotNumbers[at] != uint32(want) || float64(gotValues[at]) != scores[want] {
						t.Fatalf("query %d, place %d: candidate %d with %g, want %d with %g",
							q, place, gotNumbers[at], gotValues[at], want, scores[want])
					}
				}
			}
		})
	}
}

// wholeNumbers rounds values down to whole numbers.
func wholeNumbers(values []float32) []float32 {
	for i, v := range values {
		values[i] = float32(int(v+8) - 8)
	}
	return values
}

func TestNearestNeighboursRefuses(t *testing.T) {
	c := gputest.New(t)
	x := c.Input("x", make([]float32, 12), 3, 4)
	NearestNeighbours(c.Graph, x, x, 4)
	if c.Graph.Err() == nil {
		t.Error("four neighbours of three candidates were recorded")
	}
}
