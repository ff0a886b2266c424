package dino

import (
	"math"
	"time"
)

// rate measures images per second, without the pauses for checkpoints and k-NN.
type rate struct {
	last    time.Time // zero during a pause
	recent  float64   // moving average of seconds per image
	images  int
	seconds float64
}

// begin ends a pause.
func (r *rate) begin() {
	if r.last.IsZero() {
		r.last = time.Now()
	}
}

// step counts a step of n images that ended now.
func (r *rate) step(n int) float64 {
	now := time.Now()
	seconds := now.Sub(r.last).Seconds()
	r.last = now
	r.images += n
	r.seconds += seconds
	if per := seconds / float64(n); r.recent == 0 {
		r.recent = per
	} else {
		r.recent += 0.1 * (per - r.recent)
	}
	return 1 / r.recent
}

// pause leaves out the time until the next begin.
func (r *rate) pause() { r.last = time.Time{} }

// epoch is the rate since the last call.
func (r *rate) epoch() float64 {
	v := math.NaN()
	if r.seconds > 0 {
		v = float64(r.images) / r.seconds
	}
	r.images, r.seconds = 0, 0
	return v
}
