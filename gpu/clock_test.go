package gpu

import (
	"testing"
	"time"
)

// A clock of few bits goes on where they begin again at zero, and an earlier
// time stays one.
func TestDeviceTime(t *testing.T) {
	c := &candidate{timestampMask: 1<<8 - 1, timestampNano: 80}
	var clock deviceTime
	start := clock.at(200, c)
	for _, tc := range []struct {
		ticks uint64
		want  time.Duration // after the start, in ticks
	}{{250, 50}, {3, 59}, {250, 50}, {10, 66}, {130, 186}, {250, 306}, {2, 314}} {
		if got := clock.at(tc.ticks, c) - start; got != 80*tc.want {
			t.Errorf("%d ticks are %v after the start, want %v", tc.ticks, got, 80*tc.want)
		}
	}
}
