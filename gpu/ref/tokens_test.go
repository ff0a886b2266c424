package ref

import "testing"

func TestTokensBackward(t *testing.T) {
	const width = 3
	lengths := []int{4, 4, 2}
	patches, cls, dx := normals(1, 7*width), normals(2, width), normals(3, 10*width)
	long, short := normals(4, 4*width), normals(5, 2*width)
	f := func() float64 { return dot(Tokens(patches, cls, [][]float64{long, long, short}, lengths), dx) }
	dpatches, dcls, dpos := TokensBackward(dx, width, lengths)
	checkGradient(t, "patches", patches, dpatches, f)
	checkGradient(t, "cls", cls, dcls, f)
	both := make([]float64, 4*width)
	for i := range both {
		both[i] = dpos[0][i] + dpos[1][i]
	}
	checkGradient(t, "long pos", long, both, f)
	checkGradient(t, "short pos", short, dpos[2], f)
}

func TestClsBackward(t *testing.T) {
	const width = 3
	lengths := []int{4, 1, 2}
	x, dy := normals(1, 7*width), normals(2, 3*width)
	checkGradient(t, "x", x, ClsBackward(dy, width, lengths), func() float64 {
		return dot(Cls(x, width, lengths), dy)
	})
}
