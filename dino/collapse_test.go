package dino

import (
	"math"
	"strings"
	"testing"
)

func TestDiagnosis(t *testing.T) {
	lnK := math.Log(65536)
	for _, c := range []struct {
		entropy, kl float64
		want        string
	}{
		{5.1, 2.3, ""},
		{9.9, 1.2, ""},  // at the start: K = 65536, temperatures 0.04 and 0.1
		{0.05, 3.0, ""}, // sharp, but depends on the image
		{lnK, 0, "collapsed: the output is uniform"},
		{lnK - 0.05, 0.01, "collapsed: the output is uniform"},
		{0.001, 0.0005, "collapsed: all images go to one prototype"},
		{4, 0.001, "collapsed: the output is the same"},
		{lnK - 0.001, 1, "the teacher's output is uniform"},
	} {
		got := Health{Loss: c.entropy + c.kl, TeacherEntropy: c.entropy, KL: c.kl, LnK: lnK}.Diagnosis()
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("entropy %v, KL %v: %q, want %q…", c.entropy, c.kl, got, c.want)
		}
	}
}
