package ref

import (
	"math"
	"testing"
)

func TestAttentionBackward(t *testing.T) {
	const heads, hd = 2, 3
	lengths := []int{4, 1, 3}
	qkv, dout := normals(1, 8*3*heads*hd), normals(2, 8*heads*hd)
	checkGradient(t, "qkv", qkv, AttentionBackward(qkv, dout, heads, hd, lengths), func() float64 {
		o, _ := Attention(qkv, heads, hd, lengths)
		return dot(o, dout)
	})
}

// A sequence of one token attends to itself, and each row of probabilities
// sums to one.
func TestAttentionRows(t *testing.T) {
	const heads, hd = 2, 3
	qkv := normals(3, 3*heads*hd)
	o, _ := Attention(qkv, heads, hd, []int{1})
	for i, v := range qkv[2*heads*hd:] {
		if o[i] != v {
			t.Errorf("o[%d] = %g: want v, %g", i, o[i], v)
		}
	}
	for i, p := 0, AttentionProbs(normals(4, 10*3*heads*hd), heads, hd, 5, 2); i < len(p); i += 5 {
		if s := dot(p[i:i+5], []float64{1, 1, 1, 1, 1}); math.Abs(s-1) > 1e-15 {
			t.Errorf("row %d sums to %g", i/5, s)
		}
	}
}
