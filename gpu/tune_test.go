package gpu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	vulkan "github.com/vulkan-go/vulkan"
)

// someTask is a task of variants that do nothing, best first.
func someTask(problem string, variants ...string) *task {
	t := &task{problem: problem}
	for _, v := range variants {
		t.attempts = append(t.attempts, attempt{variant: v, nodes: make([]node, 1)})
	}
	return t
}

// Times are made up: those of variants that are not listed fail.
func TestTune(t *testing.T) {
	times := map[string]time.Duration{
		"known 1": 1, "known 2": 2,
		"slow 1": 200, "quick 2": 100, "middling 3": 150,
		"good 1": 100, "hardly better 2": 98,
		"sound 2": 500,
		"many 1":  6, "many 2": 5, "many 3": 4, "many 4": 3, "many 5": 2, "many 6": 1,
		"late 1": 1, "late 2": 2,
	}
	all := []*task{
		someTask("untimed", "slow 1", "quick 2"),
		someTask("known", "known 1", "known 2"),
		someTask("the second is the fastest", "slow 1", "quick 2", "middling 3"),
		someTask("too little to gain", "good 1", "hardly better 2"),
		someTask("the first fails", "bad 1", "sound 2"),
		someTask("all fail", "bad 3", "bad 4"),
		someTask("many", "many 1", "many 2", "many 3", "many 4", "many 5", "many 6"),
		someTask("too late", "late 1", "late 2"),
	}
	all[0].untimed = true
	c := Choices{Fastest: map[string]string{"known": "known 2"}}.clone()
	var told []string
	var limits []time.Duration
	err := c.tune(c.unknown(all), func(x Tuned) { told = append(told, x.Problem) }, func() bool { return len(told) == 4 },
		func(a attempt, limit time.Duration) (time.Duration, error) {
			limits = append(limits, limit)
			if took := times[a.variant]; took > 0 {
				return took, nil
			}
			return 0, errors.New("does not compile")
		})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"known": "known 2", "the second is the fastest": "quick 2", "too little to gain": "good 1",
		"the first fails": "sound 2", "many": "many 5",
	}
	if !maps.Equal(c.Fastest, want) {
		t.Errorf("chosen: %v, want %v", c.Fastest, want)
	}
	if want := []time.Duration{0, 200, 100, 0, 100, 0, 0, 0, 0, 0, 6, 5, 4, 3}; !slices.Equal(limits, want) {
		t.Errorf("limits: %v, want %v", limits, want)
	}
}

// A variant that loses the device is not taken again.
func TestTuneLosesDevice(t *testing.T) {
	c := Choices{}.clone()
	err := c.tune([]*task{someTask("problem", "deadly", "other")}, nil, func() bool { return false },
		func(attempt, time.Duration) (time.Duration, error) { return 0, ErrDeviceLost })
	if !errors.Is(err, ErrDeviceLost) || c.Faulty["deadly"] == "" || len(c.Fastest) > 0 {
		t.Errorf("%v, faulty %v, chosen %v", err, c.Faulty, c.Fastest)
	}
}

func TestTuningFile(t *testing.T) {
	dir := t.TempDir()
	written := &tuning{path: filepath.Join(dir, "deep", "file.tuning"), about: "this driver"}
	written.load() // there is none
	written.Checked, written.CheckedUnpromised = true, true
	written.Fastest["problem"] = "variant"
	written.Faulty["other"] = "reason"
	written.Testing["third"] = 1
	written.save()
	read := func(about string) *tuning {
		x := &tuning{path: written.path, about: about}
		x.load()
		return x
	}
	if got := read("this driver"); !reflect.DeepEqual(got, written) {
		t.Errorf("read %+v, wrote %+v", got, written)
	}
	empty := func(x *tuning) bool { return !x.Checked && len(x.Fastest)+len(x.Faulty)+len(x.Testing) == 0 }
	if got := read("another driver"); !empty(got) {
		t.Errorf("of another driver: %+v", got)
	}
	whole, err := os.ReadFile(written.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 5 {
		damaged := slices.Clone(whole)
		damaged[i] ^= 0x10
		for _, data := range [][]byte{damaged, whole[:i]} {
			if err := os.WriteFile(written.path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := read("this driver"); !empty(got) {
				t.Fatalf("damaged at byte %d: %+v", i, got)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "deep", "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("left %v (%v)", files, err)
	}
	nowhere := &tuning{path: filepath.Join(written.path, "below a file"), about: "this driver"}
	nowhere.load()
	nowhere.save() // only costs the next run time
}

// results is what an attempt computed, for tests.
func results(values ...float32) []output {
	return []output{{&Tensor{Name: "y", Shape: []int{len(values)}}, values}}
}

// refusal is the error of a pipeline that was not made.
func refusal(r vulkan.Result) error {
	return fmt.Errorf("module: %w: %w", ErrRefused, check("create pipeline", r))
}

// Variants are compared with the last one, within what moved inputs change.
func TestCheck(t *testing.T) {
	nan := float32(math.NaN())
	computed := map[string][]output{
		"exact":   results(1, 2, 3, nan),
		"rounded": results(1, 2.001, 3, nan),
		"wrong":   results(1, 2, 3.1, nan),
		"broken":  results(1, nan, 3, nan),
		"other":   {{&Tensor{Name: "z", Shape: []int{1}}, []float32{7}}},
		"plain":   results(1, 2, 3, nan),
	}
	list := []*task{someTask("problem", "exact", "rounded", "wrong", "broken", "fails", "other", "plain")}
	check := func(tn *tuning, errs map[string]error) ([]string, error) {
		var ran []string
		err := tn.check(list, func(a attempt, move float64) ([]output, error) {
			ran = append(ran, a.variant)
			if err := errs[a.variant]; err != nil {
				return nil, err
			}
			if move > 0 {
				return results(1.01, 2, 3, nan), nil
			}
			if out, ok := computed[a.variant]; ok {
				return out, nil
			}
			return nil, errors.New("does not compile")
		})
		return ran, err
	}
	fresh := func() *tuning {
		tn := &tuning{path: filepath.Join(t.TempDir(), "x.tuning")}
		tn.load()
		return tn
	}

	tn := fresh()
	if _, err := check(tn, nil); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(tn.Faulty))
	if want := []string{"broken", "fails", "wrong"}; !slices.Equal(got, want) {
		t.Errorf("faulty: %v, want %v", tn.Faulty, want)
	}
	if why := tn.Faulty["wrong"]; !strings.Contains(why, "problem: element 2 of y[4] is 3.1 and should be 3; rounding explains 0.01") {
		t.Errorf("why: %s", why)
	}

	// One that loses the device is off; the others are tested on the next device.
	tn = fresh()
	lost := map[string]error{"rounded": ErrDeviceLost}
	if _, err := check(tn, lost); !errors.Is(err, errSwitchedOff) || tn.Faulty["rounded"] == "" || len(tn.Faulty) != 1 {
		t.Errorf("%v, faulty %v", err, tn.Faulty)
	}
	if ran, err := check(tn, lost); err != nil || slices.Contains(ran, "rounded") || len(tn.Faulty) != 4 {
		t.Errorf("%v, ran %v, faulty %v", err, ran, tn.Faulty)
	}
	// Without the plainest one the others are compared with the next.
	tn = fresh()
	lost = map[string]error{"plain": ErrDeviceLost}
	if _, err := check(tn, lost); !errors.Is(err, errSwitchedOff) || tn.Faulty["plain"] == "" || len(tn.Faulty) != 1 {
		t.Errorf("%v, faulty %v", err, tn.Faulty)
	}
	if ran, err := check(tn, lost); err != nil || slices.Contains(ran, "plain") || ran[0] != "other" {
		t.Errorf("%v, ran %v", err, ran)
	}
	// A driver that refuses a shader, whatever it says, refuses that one only.
	for _, r := range []vulkan.Result{-13, vulkan.ErrorOutOfDeviceMemory, vulkan.ErrorOutOfHostMemory, vulkan.ErrorInitializationFailed} {
		for _, variant := range []string{"exact", "plain"} {
			tn = fresh()
			refused := map[string]error{variant: refusal(r)}
			if _, err := check(tn, refused); err != nil || !strings.Contains(tn.Faulty[variant], "refuses") {
				t.Errorf("result %d of %s: %v, faulty %v", r, variant, err, tn.Faulty)
			}
		}
	}
	// Lack of memory is nobody's fault, nor is an interruption.
	tn = fresh()
	if _, err := check(tn, map[string]error{"exact": ErrOutOfMemory}); !errors.Is(err, ErrOutOfMemory) || len(tn.Faulty)+len(tn.Testing) != 0 {
		t.Errorf("%v, faulty %v, testing %v", err, tn.Faulty, tn.Testing)
	}
	tn = fresh()
	if _, err := check(tn, map[string]error{"exact": context.Canceled}); !errors.Is(err, context.Canceled) || len(tn.Faulty)+len(tn.Testing) != 0 {
		t.Errorf("%v, faulty %v, testing %v", err, tn.Faulty, tn.Testing)
	}
}

// Of variants that need a feature each is tested once, beside what would replace
// it.
func TestNeeding(t *testing.T) {
	list := []*task{
		someTask("none needs it", "quick", "plain"),
		someTask("two", "lanes 1", "quick", "lanes 2", "plain"),
		someTask("known", "lanes 1", "plain"),
		someTask("nothing replaces it", "lanes 3"),
	}
	for _, one := range list {
		for i := range one.attempts {
			if strings.HasPrefix(one.attempts[i].variant, "lanes") {
				one.attempts[i].needs = OrderedSubgroups | BufferDeviceAddress
			}
		}
	}
	var got []string
	for _, one := range needing(OrderedSubgroups, list) {
		got = append(got, one.problem)
		for _, a := range one.attempts {
			got = append(got, a.variant)
		}
	}
	if want := []string{"two", "lanes 1", "quick", "two", "lanes 2", "quick"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A variant that takes the whole program down is off from the third start on; so
// is one that does so when all pipelines are made, one start later.
func TestCheckEndsProgram(t *testing.T) {
	list := []*task{someTask("problem", "deadly", "plain")}
	for name, prepares := range map[string]bool{"in its test": false, "when it is made": true} {
		file := filepath.Join(t.TempDir(), "x.tuning")
		last := 3
		if prepares {
			last = 4
		}
		for start := 1; start <= last; start++ {
			tn := &tuning{path: file}
			tn.load()
			tn.blame()
			died := false
			func() {
				defer func() { died = recover() != nil }()
				tn.together(func() {
					if prepares {
						panic("the end of the program")
					}
				})
				_ = tn.check(list, func(a attempt, _ float64) ([]output, error) {
					if a.variant == "deadly" {
						panic("the end of the program")
					}
					return results(1), nil
				})
			}()
			if want := start < last; died != want {
				t.Errorf("%s, start %d: died %v, want %v", name, start, died, want)
			}
			if _, off := tn.Faulty["deadly"]; off != (start == last) {
				t.Errorf("%s, start %d: off %v", name, start, off)
			}
		}
	}
}

// The variants that are not faulty are taken and, if all are, the last.
func TestSound(t *testing.T) {
	fits := []*Variant{{Module: "a"}, {Module: "b"}, {Module: "c"}}
	for faulty, want := range map[string]string{"": "a", "a": "b", "c": "a", "a b": "c", "a c": "b", "a b c": "c"} {
		c := Choices{}.clone()
		for _, name := range strings.Fields(faulty) {
			c.Faulty[name] = "reason"
		}
		if got := c.choose(&pick{fits: fits}); got.Module != want {
			t.Errorf("of faulty %q: %s, want %s", faulty, got.Module, want)
		}
	}
}

// A run that does not end loses the device, unless somebody stopped it or the
// device is a CPU.
func TestPatiently(t *testing.T) {
	usual := patience
	defer func() { patience = usual }()
	endless := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	var d Device // a GPU
	patience = time.Millisecond
	if err := d.patiently(context.Background(), endless); !errors.Is(err, ErrDeviceLost) || !d.stuck {
		t.Errorf("endless: %v, stuck %v", err, d.stuck)
	}
	(&buffer{dev: &d}).close() // frees nothing that the device may still use
	(&Program{dev: &d}).Close()

	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, kind := range []Kind{Discrete, CPU} {
		var d Device
		d.Kind = kind
		if err := d.patiently(stopped, endless); !errors.Is(err, context.Canceled) || d.stuck {
			t.Errorf("stopped on %v: %v, stuck %v", kind, err, d.stuck)
		}
	}
}
