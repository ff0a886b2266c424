package gpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Tuned is what the tuning of a problem found.
type Tuned struct {
	Problem  string // the kernel and the shape
	Variants []TimedVariant
	Chosen   string
}

// TimedVariant is a variant with the device time of the problem, 0 where it did
// not run.
type TimedVariant struct {
	Variant string
	Time    time.Duration
}

// Limits of tuning.
const (
	mostAttempts = 5    // variants of a problem that are timed
	worthIt      = 0.97 // part of a better variant's time that another one must take to be chosen
)

// Tune times, for every problem of the graphs that the device has no choice for
// yet, the variants that fit it, and chooses the fastest: Caps then have the
// choices, as have those of later runs on this device. It begins with the
// heaviest; those that are left at the limit stay without a choice. report, if not
// nil, is told of each choice. On a device that was not opened by OpenTuned, or
// that has no timestamps, Tune does nothing.
func (d *Device) Tune(ctx context.Context, record Recorder, limit time.Duration, report func(Tuned)) error {
	if d.tuning == nil || d.timestampMask == 0 {
		return nil
	}
	end := time.Now().Add(limit / 2)
	over := func() bool { return ctx.Err() != nil || time.Now().After(end) }
	t := d.tuning
	choices := t.Choices.clone()
	timed := func(a attempt, limit time.Duration) (time.Duration, error) {
		t.Testing[a.variant]++ // as in try
		t.save()
		defer delete(t.Testing, a.variant)
		return a.time(ctx, d, limit)
	}
	var err error
	for _, whole := range []bool{false, true} { // whole ones with the best of what is in them
		var list []*task
		if list, err = choices.tasks(d.Caps(), record, whole, !whole); err == nil {
			list = choices.unknown(list)
			t.together(func() { d.prepare(list) })
			err = choices.tune(list, report, over, timed)
		}
		if err != nil {
			break
		}
		end = end.Add(limit / 2)
	}
	t.Choices = choices
	t.save()
	d.choose(choices)
	if err != nil {
		return fmt.Errorf("gpu: tune: %w", err)
	}
	return ctx.Err()
}

// unknown are the tasks that have no choice yet, with the variants to be timed.
func (c *Choices) unknown(list []*task) []*task {
	list = slices.DeleteFunc(list, func(t *task) bool { return t.untimed || c.Fastest[t.problem] != "" })
	for _, t := range list {
		t.attempts = t.attempts[:min(len(t.attempts), mostAttempts)]
	}
	return list
}

// prepare makes the pipelines of all tasks, faster than one after another.
func (d *Device) prepare(list []*task) {
	var nodes []node
	for _, t := range list {
		for _, a := range t.attempts {
			nodes = append(nodes, a.nodes...)
		}
	}
	d.pipelines.prepare(d, nodes)
}

// tune chooses a variant for every task. over says when to stop; timed takes the
// time of an attempt, which it may cut short at a limit.
func (c *Choices) tune(list []*task, report func(Tuned), over func() bool, timed func(attempt, time.Duration) (time.Duration, error)) error {
	for _, one := range list {
		found := Tuned{Problem: one.problem}
		var best time.Duration
		for _, a := range one.attempts {
			if over() {
				return nil
			}
			took, err := timed(a, best)
			if errors.Is(err, ErrDeviceLost) {
				c.Faulty[a.variant] = one.problem + ": " + err.Error()
				return fmt.Errorf("%s: %s: %w; the variant is switched off from now on: start again", one.problem, a.variant, err)
			} else if err != nil {
				took = 0 // too large for the memory, or for the compiler
			}
			found.Variants = append(found.Variants, TimedVariant{a.variant, took})
			if took > 0 && (best == 0 || float64(took) < worthIt*float64(best)) {
				best, found.Chosen = took, a.variant
			}
		}
		if found.Chosen == "" {
			continue
		}
		c.Fastest[one.problem] = found.Chosen
		if report != nil {
			report(found)
		}
	}
	return nil
}

// choose makes later recordings take these choices.
func (d *Device) choose(c Choices) {
	c = c.clone()
	d.candidate.Choices = &c
}
