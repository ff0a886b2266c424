package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fake is a Source of n one-pixel pictures of which some cannot be decoded,
// after unequal delays.
type fake struct {
	n       int
	bad     map[int]bool
	decoded atomic.Int64
	hold    chan struct{} // if set, Decode waits for it or the context
}

func (f *fake) Len() int          { return f.n }
func (f *fake) Name(i int) string { return fmt.Sprint("picture ", i) }
func (f *fake) Label(int) int     { return -1 }
func (f *fake) Classes() []string { return nil }
func (f *fake) Close() error      { return nil }

func (f *fake) Decode(ctx context.Context, i int) (Image, error) {
	f.decoded.Add(1)
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return Image{}, ctx.Err()
		}
	}
	for range rand.IntN(4) {
		runtime.Gosched()
	}
	if f.bad[i] {
		return Image{}, fmt.Errorf("%s is damaged", f.Name(i))
	}
	return Image{W: 1, H: 1, Pix: []uint8{uint8(i), uint8(i >> 8), 0}}, nil
}

// transcript runs a loader to its end and tells all that it delivered.
func transcript(t *testing.T, src Source, batches [][]int, workers, ahead int) string {
	t.Helper()
	l := NewLoader(context.Background(), src, slices.Values(batches), workers, ahead)
	defer l.Close()
	var text strings.Builder
	for {
		b, err := l.Next()
		if err == io.EOF {
			return text.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range b.Items {
			if got := int(item.Image.Pix[0]) + int(item.Image.Pix[1])<<8; got != item.Read {
				t.Fatalf("picture %d has the pixels of %d", item.Read, got)
			}
			fmt.Fprintf(&text, "%d:%d ", item.Index, item.Read)
		}
		fmt.Fprintln(&text, b.Skipped)
	}
}

func TestLoader(t *testing.T) {
	f := &fake{n: 10, bad: map[int]bool{3: true, 4: true, 9: true}}
	batches := [][]int{{0, 1, 2}, {4, 9}, {3, 3, 4}, {9, 8, 7}}
	want := "0:0 1:1 2:2 []\n" +
		"4:5 9:0 [picture 4 is damaged picture 9 is damaged]\n" +
		"3:5 3:5 4:5 [picture 3 is damaged]\n" +
		"9:0 8:8 7:7 []\n"
	for _, workers := range []int{1, 2, 7} {
		for _, ahead := range []int{1, 3} {
			if got := transcript(t, f, batches, workers, ahead); got != want {
				t.Errorf("%d workers, %d ahead:\n%swant\n%s", workers, ahead, got, want)
			}
		}
	}
}

// TestLoaderOrder: with many batches, workers change nothing.
func TestLoaderOrder(t *testing.T) {
	const seed = 1
	f := &fake{n: 500, bad: map[int]bool{}}
	for i := range 500 {
		if i%7 == 0 {
			f.bad[i] = true
		}
	}
	var batches [][]int
	for b := range slices.Chunk(Order(seed, 0, 500), 9) {
		batches = append(batches, b)
	}
	want := transcript(t, f, batches, 1, 1)
	if got := transcript(t, f, batches, 8, 4); got != want {
		t.Errorf("8 workers (seed %d):\n%swant\n%s", seed, got, want)
	}
}

func TestLoaderNothingDecodes(t *testing.T) {
	f := &fake{n: 3, bad: map[int]bool{0: true, 1: true, 2: true}}
	l := NewLoader(context.Background(), f, slices.Values([][]int{{1}}), 2, 2)
	defer l.Close()
	if _, err := l.Next(); !errors.Is(err, ErrNoImages) || !strings.Contains(err.Error(), "picture 1") {
		t.Errorf("Next: %v", err)
	}
}

// TestLoaderBounded: without a consumer no more than ahead batches are decoded.
func TestLoaderBounded(t *testing.T) {
	const batch, ahead = 4, 3
	f := &fake{n: 100}
	var drawn atomic.Int64
	l := NewLoader(context.Background(), f, func(yield func([]int) bool) {
		for drawn.Add(1); yield(make([]int, batch)); drawn.Add(1) {
		}
	}, 2, ahead)
	for f.decoded.Load() < batch*ahead {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // anything more would happen now
	if d, n := drawn.Load(), f.decoded.Load(); d != ahead || n != batch*ahead {
		t.Errorf("%d batches drawn, %d pictures decoded, want %d and %d", d, n, ahead, batch*ahead)
	}
	l.Close()
}

// TestLoaderStops: closing and cancelling end every goroutine, wherever it
// is, and Next says why.
func TestLoaderStops(t *testing.T) {
	before := runtime.NumGoroutine()
	endless := func(yield func([]int) bool) {
		for yield([]int{0, 1, 2}) {
		}
	}
	for name, f := range map[string]*fake{
		"idle, ahead of Next": {n: 3},
		"decoding":            {n: 3, hold: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			l := NewLoader(ctx, f, endless, 3, 2)
			if f.hold == nil {
				if _, err := l.Next(); err != nil {
					t.Fatal(err)
				}
				cancel()
			} else {
				time.AfterFunc(5*time.Millisecond, cancel) // while Next waits
			}
			if _, err := l.Next(); !errors.Is(err, context.Canceled) {
				t.Errorf("Next after cancel: %v", err)
			}
			l.Close()
			l.Close()
		})
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		sorted := Order(1, 2, n)
		slices.Sort(sorted)
		for i, v := range sorted {
			if i != v {
				t.Fatalf("n = %d: not a permutation", n)
			}
		}
	}
	// Fixed for ever: a resumed run must continue in the order it began with.
	if got, want := Order(7, 3, 10), []int{1, 6, 9, 8, 2, 3, 0, 4, 7, 5}; !slices.Equal(got, want) {
		t.Errorf("Order(7, 3, 10) = %v, want %v", got, want)
	}
	if slices.Equal(Order(1, 0, 100), Order(1, 1, 100)) || slices.Equal(Order(1, 0, 100), Order(2, 0, 100)) {
		t.Error("epochs or seeds share an order")
	}
	// Every place of 5 is equally likely for every picture: 20000 shuffles give
	// 4000 each, standard deviation 57; six of them either way.
	var counts [5][5]int
	for epoch := range 20000 {
		for place, picture := range Order(1, epoch, 5) {
			counts[place][picture]++
		}
	}
	for place, row := range counts {
		for picture, c := range row {
			if c < 4000-340 || c > 4000+340 {
				t.Errorf("picture %d comes to place %d %d times of 20000", picture, place, c)
			}
		}
	}
}

func TestSampler(t *testing.T) {
	s, err := NewSampler(10, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	if s.Steps() != 3 {
		t.Errorf("%d steps, want 3", s.Steps())
	}
	take := func(step, n int) [][]int {
		var got [][]int
		for b := range s.Batches(step) {
			if got = append(got, b); len(got) == n {
				break
			}
		}
		return got
	}
	all := take(0, 9)
	for epoch := range 3 {
		seen := slices.Concat(all[3*epoch : 3*epoch+3]...)
		if want := Order(5, epoch, 10)[:9]; !slices.Equal(seen, want) {
			t.Errorf("epoch %d: %v, want %v", epoch, seen, want)
		}
	}
	for step := range 9 { // resuming anywhere continues the same sequence
		for i, b := range take(step, 9-step) {
			if !slices.Equal(b, all[step+i]) {
				t.Errorf("from step %d, batch %d is %v, want %v", step, i, b, all[step+i])
			}
		}
	}
	if _, err := NewSampler(10, 11, 0); err == nil || !strings.Contains(err.Error(), "from 1 to 10") {
		t.Errorf("batch of 11 from 10: %v", err)
	}
	if _, err := NewSampler(10, 0, 0); err == nil {
		t.Error("batch of 0 is accepted")
	}
}
