package gpu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
)

// OpenTuned is Open for a device whose kernels are tested before they are used,
// and then timed, see Tune: samples records small problems on which every variant
// of every kernel is compared with the plainest one. What was found out is kept
// from run to run; with again it is found out anew. Without again, and unless
// $DINOVK_TUNE is 1, a device that is a CPU is not tuned, and of its variants only
// those are tested that rest on what Vulkan leaves open; with DINOVK_TUNE=0 no
// device is tested or tuned.
func OpenTuned(ctx context.Context, o Options, again bool, samples func(*Graph)) (*Device, error) {
	var t *tuning
	for {
		d, err := Open(o)
		if err != nil || o.CompileOnly {
			return d, err
		}
		all, some := d.tests(again)
		if !some {
			return d, nil
		}
		if t == nil {
			t, err = d.openTuning(again)
		}
		if err == nil {
			err = d.check(ctx, t, all, samples)
		}
		if err == nil {
			return d, nil
		}
		closed := d.Close()
		if !errors.Is(err, errSwitchedOff) {
			return nil, errors.Join(err, closed)
		}
		// A lost device can only be opened anew; what lost it is known now.
	}
}

// errSwitchedOff says that the device was lost to a variant that is now known to
// be faulty.
var errSwitchedOff = errors.New("a variant was switched off")

// unpromised are the features that rest on what Vulkan leaves open.
var unpromised = OrderedSubgroups // tests take others

// tests says whether all variants are to be tested, and timed, or at least some.
func (d *Device) tests(again bool) (all, some bool) {
	wish := os.Getenv("DINOVK_TUNE")
	all = again || wish == "1" || wish != "0" && d.Kind != CPU
	return all, all || wish != "0" && d.Features&unpromised != 0
}

// Fault is a variant of a kernel that a device does not run as it should.
type Fault struct{ Variant, Reason string }

// Faults lists the variants that are switched off on this device.
func (d *Device) Faults() []Fault {
	if d.Choices == nil {
		return nil
	}
	var list []Fault
	for _, name := range slices.Sorted(maps.Keys(d.Choices.Faulty)) {
		list = append(list, Fault{name, d.Choices.Faulty[name]})
	}
	return list
}

// check tests all variants, or those that need what is unpromised, unless that was
// done already, and chooses.
func (d *Device) check(ctx context.Context, t *tuning, all bool, samples func(*Graph)) error {
	if !t.Checked && (all || !t.CheckedUnpromised) {
		if err := d.testVariants(ctx, t, all, samples); err != nil {
			return fmt.Errorf("gpu: self-test: %w", err)
		}
	}
	if all {
		d.tuning = t
		d.choose(t.Choices)
	} else {
		d.choose(Choices{Faulty: t.Faulty})
	}
	return nil
}

func (d *Device) testVariants(ctx context.Context, t *tuning, all bool, samples func(*Graph)) error {
	defer t.save()
	record := func(caps Caps) ([]*Graph, error) {
		g := NewGraph(caps)
		samples(g)
		return []*Graph{g}, nil
	}
	for _, whole := range []bool{false, true} {
		list, err := t.Choices.tasks(d.Caps(), record, whole, true)
		if err != nil {
			return err
		}
		if !all {
			list = needing(unpromised, list)
		}
		t.together(func() { d.prepare(list) })
		if err := t.check(list, func(a attempt, move float64) ([]output, error) { return newTrial(a).compute(ctx, d, move) }); err != nil {
			return err
		}
	}
	t.Checked, t.CheckedUnpromised = all, true
	clear(t.Testing)
	return nil
}

// needing leaves one task for each variant that needs one of the features: that, and
// the best of the others, which would take its place.
func needing(f Features, list []*task) []*task {
	var left []*task
	known := map[string]bool{}
	for _, t := range list {
		other := slices.IndexFunc(t.attempts, func(a attempt) bool { return a.needs&f == 0 })
		for _, a := range t.attempts {
			if a.needs&f != 0 && other >= 0 && !known[a.variant] {
				known[a.variant] = true
				left = append(left, &task{problem: t.problem, typ: t.typ, attempts: []attempt{a, t.attempts[other]}})
			}
		}
	}
	return left
}

// together does what tests many variants at once, unless the program ended in the
// middle of that before: then they are tested one by one.
func (t *tuning) together(do func()) {
	const all = "all together"
	if t.Testing[all] > 0 {
		return
	}
	t.Testing[all]++
	t.save()
	do()
	delete(t.Testing, all)
}

// try lets a variant attempt a problem, and notes on the disk that it does: should
// the driver take the program down, the next one will know. What goes wrong
// switches the variant off. The error is what ends all testing: errSwitchedOff
// where the device was lost with the variant, an interruption, or lack of memory.
func (t *tuning) try(variant, problem string, attempt func() error) error {
	t.Testing[variant]++
	t.save()
	err := attempt()
	delete(t.Testing, variant)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, ErrOutOfMemory) && !errors.Is(err, ErrRefused):
		return err
	}
	t.Faulty[variant] = fmt.Sprintf("%s: %v", problem, err)
	if errors.Is(err, ErrDeviceLost) {
		return fmt.Errorf("%s: %w", variant, errSwitchedOff)
	}
	return nil
}

// check compares the attempts at each task with the last, which is the plainest.
// One whose plainest attempt fails is left to the others, untested.
//
// The bound follows from the arithmetic: a sum of n float32 terms, in any order,
// is the exact one of terms that are each off by at most n 2^-24 of themselves
// (Higham, Accuracy and Stability of Numerical Algorithms, 4.2), and operands that
// are rounded to 16 bits are off by 2^-11 (F16) or 2^-8 (BF16). A right variant's
// results therefore lie no further from the plainest's than those of inputs that
// are moved at random by such parts of themselves, and a rounding of the result.
func (t *tuning) check(list []*task, compute func(a attempt, move float64) ([]output, error)) error {
	for _, one := range list {
		sound := slices.DeleteFunc(slices.Clone(one.attempts), func(a attempt) bool {
			_, faulty := t.Faulty[a.variant]
			return faulty
		})
		if len(sound) < 2 {
			continue
		}
		plainest := sound[len(sound)-1]
		var base, moved []output
		err := t.try(plainest.variant, one.problem, func() (err error) {
			if base, err = compute(plainest, 0); err == nil {
				moved, err = compute(plainest, movement[one.typ])
			}
			return err
		})
		if err != nil {
			return err
		}
		if moved == nil {
			continue
		}
		for _, a := range sound[:len(sound)-1] {
			err := t.try(a.variant, one.problem, func() error {
				got, err := compute(a, 0)
				if err != nil {
					return err
				}
				return agree(got, base, moved)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// movement is the part of themselves by which inputs are moved: for sums of up to
// 4,096 float32 terms, or four times the rounding to 16 bits.
var movement = map[Type]float64{F32: 0x1p-12, F16: 0x1p-9, BF16: 0x1p-6}

// lastPlace is that of the largest element, as a part of it: results on either
// side of a tie are as far apart.
var lastPlace = map[Type]float64{F32: 0x1p-23, F16: 0x1p-10, BF16: 0x1p-7}

// output is a tensor that an attempt wrote.
type output struct {
	tensor *Tensor
	values []float32
}

// agree compares outputs with the plainest variant's of the same names, of the
// inputs and of moved ones.
func agree(got, base, moved []output) error {
	for _, o := range got {
		i := slices.IndexFunc(base, func(b output) bool {
			return b.tensor.Name == o.tensor.Name && slices.Equal(b.tensor.Shape, o.tensor.Shape)
		})
		if i < 0 {
			continue // variants may lay out differently what they keep
		}
		if err := o.agree(base[i].values, moved[i].values); err != nil {
			return err
		}
	}
	return nil
}

func (o output) agree(base, moved []float32) error {
	var off, allowed, largest float64
	at := 0
	for i, v := range o.values {
		if d := distance(moved[i], base[i]); d < math.Inf(1) {
			allowed = max(allowed, d)
		}
		if size := math.Abs(float64(base[i])); size < math.Inf(1) {
			largest = max(largest, size)
		}
		if d := distance(v, base[i]); d > off {
			off, at = d, i
		}
	}
	allowed += largest * lastPlace[o.tensor.Type]
	if off <= allowed {
		return nil
	}
	return fmt.Errorf("element %d of %v is %v and should be %v; rounding explains %.3g", at, o.tensor, o.values[at], base[at], allowed)
}

// distance is infinite where only one of the two is a number.
func distance(a, b float32) float64 {
	switch d := math.Abs(float64(a) - float64(b)); {
	case math.Float32bits(a) == math.Float32bits(b) || a != a && b != b:
		return 0
	case math.IsNaN(d):
		return math.Inf(1)
	default:
		return d
	}
}
