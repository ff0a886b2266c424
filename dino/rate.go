package dino

import (
	"math"
	"time"

	"dino-vk/gpu"
)

// rate measures images per second by when runs were on the device, whenever the
// host hears of it, without the pauses for checkpoints and k-NN and without the
// first step, in which drivers still compile.
type rate struct {
	end    time.Duration // of the last run, where going
	going  bool          // no pause since
	warm   bool          // the first step is over
	step   tally         // under way
	recent tally         // of the last steps, older ones fading
	epoch  tally
	whole  tally
}

// tally is a number of images and the seconds that they took, idle ones, in
// which nothing ran on the device, among them.
type tally struct{ images, seconds, idle float64 }

func (t tally) plus(u tally) tally {
	return tally{t.images + u.images, t.seconds + u.seconds, t.idle + u.idle}
}

func (t tally) times(f float64) tally { return tally{f * t.images, f * t.seconds, f * t.idle} }

// perSecond is NaN without images.
func (t tally) perSecond() float64 {
	if t.images == 0 {
		return math.NaN()
	}
	return t.images / t.seconds
}

// ran counts a run, one of those of a step.
func (r *rate) ran(s gpu.Span) {
	if r.going {
		r.step = r.step.plus(tally{0, (s.End - r.end).Seconds(), max(0, s.Begin-r.end).Seconds()})
	} else {
		r.step = r.step.plus(tally{0, (s.End - s.Begin).Seconds(), 0})
	}
	r.end, r.going = s.End, true
}

// stepped ends a step of n images, and returns the recent rate.
func (r *rate) stepped(n int) float64 {
	one := r.step
	one.images = float64(n)
	r.step = tally{}
	if !r.warm {
		r.warm = true
		return one.perSecond()
	}
	const fade = 0.9
	r.recent = r.recent.times(fade).plus(one)
	r.epoch = r.epoch.plus(one)
	r.whole = r.whole.plus(one)
	return r.recent.perSecond()
}

// pause leaves out the time until the next run.
func (r *rate) pause() { r.going = false }

// endEpoch is the rate since the last call.
func (r *rate) endEpoch() float64 {
	v := r.epoch.perSecond()
	r.epoch = tally{}
	return v
}
