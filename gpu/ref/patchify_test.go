package ref

import (
	"slices"
	"testing"
)

func TestPatchify(t *testing.T) {
	images := make([]float64, 2*3*5) // two channels of 3 x 5 pixels, patches of 2: a row and a column dropped
	for i := range images {
		images[i] = float64(i)
	}
	want := []float64{0, 1, 5, 6, 15, 16, 20, 21, 2, 3, 7, 8, 17, 18, 22, 23}
	if got := Patchify(images, 1, 2, 3, 5, 2); !slices.Equal(got, want) {
		t.Errorf("patches %v: want %v", got, want)
	}
}

func TestPatchifyBackward(t *testing.T) {
	const n, c, h, w, p = 2, 3, 5, 7, 2
	images, dpatches := normals(1, n*c*h*w), normals(2, n*c*4*6)
	checkGradient(t, "images", images, PatchifyBackward(dpatches, n, c, h, w, p), func() float64 {
		return dot(Patchify(images, n, c, h, w, p), dpatches)
	})
}
