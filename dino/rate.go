package dino

import (
	"math"
	"time"
)

// rate measures images per second, without the pauses for checkpoints and k-NN
// and without the first step, in which drivers still compile.
type rate struct {
	last   time.Time // zero during a pause
	warm   bool      // the first step is over
	recent tally     // of the last steps, older ones fading
	epoch  tally
}

// tally is a number of images and the time they took.
type tally struct{ images, seconds float64 }

// perSecond is NaN without images.
func (t tally) perSecond() float64 {
	if t.images == 0 {
		return math.NaN()
	}
	return t.images / t.seconds
}

// begin ends a pause.
func (r *rate) begin() {
	if r.last.IsZero() {
		r.last = time.Now()
	}
}

// step counts a step of n images that ended now, and returns the recent rate.
func (r *rate) step(n int) float64 {
	now := time.Now()
	one := tally{float64(n), now.Sub(r.last).Seconds()}
	r.last = now
	if !r.warm {
		r.warm = true
		return one.perSecond()
	}
	const fade = 0.9
	r.recent = tally{fade*r.recent.images + one.images, fade*r.recent.seconds + one.seconds}
	r.epoch = tally{r.epoch.images + one.images, r.epoch.seconds + one.seconds}
	return r.recent.perSecond()
}

// pause leaves out the time until the next begin.
func (r *rate) pause() { r.last = time.Time{} }

// endEpoch is the rate since the last call.
func (r *rate) endEpoch() float64 {
	v := r.epoch.perSecond()
	r.epoch = tally{}
	return v
}
