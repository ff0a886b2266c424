package dino

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"dino-vk/gpu"
)

// trace sums the device time of every kernel over a run.
type trace struct {
	steps int
	times map[place]*gpu.Timing
	order []place
}

type place struct{ scope, kernel string }

// add counts the timings of one run of a program.
func (t *trace) add(list []gpu.Timing) {
	if t.times == nil {
		t.times = map[place]*gpu.Timing{}
	}
	for _, one := range list {
		at := place{one.Scope, one.Kernel}
		sum := t.times[at]
		if sum == nil {
			sum = &gpu.Timing{Scope: one.Scope, Kernel: one.Kernel}
			t.times[at] = sum
			t.order = append(t.order, at)
		}
		sum.Count += one.Count
		sum.Duration += one.Duration
	}
}

// writeTrace writes how the device was used and what its time went to.
func (t *Trainer) writeTrace(w io.Writer) error {
	if u, ok := t.Usage(); ok {
		if _, err := fmt.Fprintln(w, u); err != nil {
			return err
		}
	}
	return t.trace.write(w)
}

// write writes two tables, the kernels by their time and every kernel by place:
// the part of the whole, milliseconds and dispatches a step, kernel, place.
func (t *trace) write(w io.Writer) error {
	byKernel := map[string]*gpu.Timing{}
	var kernels, places []*gpu.Timing
	var total time.Duration
	for _, at := range t.order {
		one := t.times[at]
		places = append(places, one)
		total += one.Duration
		sum := byKernel[at.kernel]
		if sum == nil {
			sum = &gpu.Timing{Kernel: at.kernel}
			byKernel[at.kernel] = sum
			kernels = append(kernels, sum)
		}
		sum.Count += one.Count
		sum.Duration += one.Duration
	}
	steps := max(t.steps, 1)
	_, err := fmt.Fprintf(w, "device time of %d steps, %.3f ms a step\n", t.steps, milliseconds(total)/float64(steps))
	for _, list := range [][]*gpu.Timing{kernels, places} {
		slices.SortStableFunc(list, func(a, b *gpu.Timing) int { return cmp.Compare(b.Duration, a.Duration) })
		if err == nil {
			_, err = fmt.Fprintf(w, "\n%6s %10s %10s  %s\n", "%", "ms", "commands", "kernel")
		}
		for _, one := range list {
			if err == nil {
				_, err = fmt.Fprintf(w, "%6.2f %10.3f %10.1f  %s  %s\n", 100*float64(one.Duration)/float64(max(total, 1)),
					milliseconds(one.Duration)/float64(steps), float64(one.Count)/float64(steps), one.Kernel, one.Scope)
			}
		}
	}
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
