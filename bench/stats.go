package bench

import (
	"slices"
	"time"
)

// Spread is the middle of some measurements and how far they lie apart: half of
// them are between the quartiles.
type Spread struct {
	Median        float64 `json:"median"`
	LowerQuartile float64 `json:"lower_quartile"`
	UpperQuartile float64 `json:"upper_quartile"`
}

// spread summarizes at least one value.
func spread(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 { // linear between the two nearest
		x := q * float64(len(sorted)-1)
		i := int(x)
		if i+1 == len(sorted) {
			return sorted[i]
		}
		return sorted[i] + (x-float64(i))*(sorted[i+1]-sorted[i])
	}
	return Spread{at(0.5), at(0.25), at(0.75)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Effort says how often to measure one thing: as often as Time allows, but from
// Least to Most times.
type Effort struct {
	Least, Most int
	Time        time.Duration
}

// count is how often to measure what takes so long each time.
func (e Effort) count(each time.Duration) int {
	return min(e.Most, max(e.Least, int(e.Time/max(each, 1))))
}
