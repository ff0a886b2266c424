package ref

import "sort"

// TopK gives the indices of the k largest values, largest first, the lower
// index before the higher where values are equal.
func TopK(values []float64, k int) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return values[order[a]] > values[order[b]] })
	return order[:min(k, len(order))]
}
