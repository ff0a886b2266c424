package gpu

import (
	"context"
	"encoding/binary"
	"math"
	"testing"
)

// TestInputs runs two programs by turns on inputs that the host changes while
// the run before may be under way, uploaded by the compute queue and by
// submissions of their own.
func TestInputs(t *testing.T) {
	const n, runs = 1 << 16, 9
	for name, o := range map[string]Options{
		"one queue": {Disable: TransferQueue},
		"split":     {Disable: TransferQueue, SplitUploads: true},
		"device's":  {},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			d := openValidated(t, o)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			s := NewStore()
			in, more := s.Input("in", F32, 2*n), s.Input("more", F32, n)
			sum, out := s.New("sum", F32, n), s.Host("out", F32, n)
			record := func(inputs ...*Tensor) *Graph {
				g := NewGraph(d.Caps())
				for _, x := range inputs {
					g.Dispatch(g.Pick(Plain("add"), nil), Groups{n / 256, 1, 1}, addPush{n}, sum, x)
				}
				g.Copy(out, sum)
				return g
			}
			// The second half of in alone, or the first half and more.
			graphs := []*Graph{record(in.Rows(n, n)), record(in.Rows(0, n), more)}
			must(s.Allocate(d))
			programs, err := Compile(d, graphs...)
			must(err)
			fill := func(b []byte, v float32) {
				for at := 0; at < len(b); at += 4 {
					binary.LittleEndian.PutUint32(b[at:], math.Float32bits(v))
				}
			}
			var want [Slots]float32
			var total float32
			check := func(slot int) {
				for i, v := range BytesF32(s.Mapped(out, slot)) {
					if v != want[slot] {
						t.Fatalf("element %d is %v, want %v", i, v, want[slot])
					}
				}
			}
			submits := d.Submits()
			for i := range runs {
				p := programs[i%2]
				slot, err := p.Acquire(ctx)
				must(err)
				if i >= Slots {
					check(slot)
				}
				value := float32(i + 1)
				fill(s.Mapped(in.Rows(0, n), slot), value)
				fill(s.Mapped(in.Rows(n, n), slot), 2*value)
				fill(s.Mapped(more, slot), 4*value)
				total += []float32{2, 5}[i%2] * value
				want[slot] = total
				must(p.Submit(slot))
			}
			if got := d.Submits() - submits; got != runs {
				t.Errorf("%d submits for %d runs", got, runs)
			}
			for slot := range Slots {
				for _, p := range programs {
					must(p.Wait(ctx, slot))
				}
				check(slot)
			}
			for _, p := range programs {
				p.Close()
			}
			s.Close()
			must(d.Close())
			if d.MemoryInUse() != 0 {
				t.Errorf("%d bytes are still taken", d.MemoryInUse())
			}
			for _, m := range d.ValidationMessages() {
				t.Error(m)
			}
		})
	}
}

// A store tells the one copy for each slot from what Write and Read are for.
func TestInputsAreMapped(t *testing.T) {
	d := openValidated(t, Options{})
	s := NewStore()
	in, w := s.Input("in", F32, 8), s.New("w", F32, 8)
	if want := int64(viewAlign * (2*Slots + 1)); s.Bytes() != want {
		t.Errorf("%d bytes, want %d", s.Bytes(), want)
	}
	if s.Mapped(in, 0) != nil {
		t.Error("there is memory before Allocate")
	}
	if err := s.Allocate(d); err != nil {
		t.Fatal(err)
	}
	if s.WriteF32(in, make([]float32, 8)) == nil {
		t.Error("an input was written")
	}
	if _, err := s.ReadF32(in); err == nil {
		t.Error("an input was read")
	}
	if s.Mapped(w, 0) != nil || len(s.Mapped(in, 1)) != 32 {
		t.Error("an input is mapped, and device memory is not")
	}
	s.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
