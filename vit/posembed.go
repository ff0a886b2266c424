package vit

import (
	"slices"

	"dino-vk/gpu/ref"
)

// ResizePosEmbed gives the position embedding (1+to², dim) for to × to patches
// from that for from × from, interpolated as the reference does for images of
// another size; for as many it is a copy.
func ResizePosEmbed(pos []float32, from, to, dim int) []float32 {
	if from == to {
		return slices.Clone(pos)
	}
	wide := make([]float64, len(pos))
	for i, v := range pos {
		wide[i] = float64(v)
	}
	var resized []float32
	for _, v := range ref.PosEmbed(wide, from, to, to, dim) {
		resized = append(resized, float32(v))
	}
	return resized
}
