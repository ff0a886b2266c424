package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Slots is how many runs of a program can be under way: every host tensor has
// a copy for each, so that the host prepares one while the device uses another.
const Slots = 2

// Store holds the tensors that outlive a run: weights, moments, inputs,
// results. Tensors are declared first, which makes no Vulkan call; Bytes says
// what they need; Allocate takes the memory, all zero.
type Store struct {
	tensors []*Tensor

	dev     *Device // nil before Allocate
	buffers []*buffer
	at      []location // by the tensor's number
}

// location is where a tensor of a store lies.
type location struct {
	buffer *buffer
	offset int64 // of slot 0
	stride int64 // from slot to slot; 0 where there is one copy
}

// NewStore is an empty store.
func NewStore() *Store { return &Store{} }

// New declares a tensor in device memory.
func (s *Store) New(name string, typ Type, shape ...int) *Tensor {
	return s.add(memory{name: name}, typ, shape)
}

// Host declares a tensor in memory that the host maps, with one copy a slot, for
// what a run reports: kernels that read it go over the bus each time; see Input.
func (s *Store) Host(name string, typ Type, shape ...int) *Tensor {
	return s.add(memory{name: name, host: true}, typ, shape)
}

// Input declares a tensor in device memory that the host fills, with one copy a
// slot: a run of a slot begins with the copy of what Mapped gives of it. Where
// the device has TransferQueue that happens beside the runs before. Kernels only
// read it.
func (s *Store) Input(name string, typ Type, shape ...int) *Tensor {
	return s.add(memory{name: name, twin: s.Host(name+" (host)", typ, shape...)}, typ, shape)
}

// Guarded declares a tensor in device memory between two guard bands, of
// which kernels are given the second one too: what a kernel reads outside of
// the tensor is NaN, and CheckGuards finds what it writes there. For tests.
func (s *Store) Guarded(name string, typ Type, shape ...int) *Tensor {
	return s.add(memory{name: name, guard: viewAlign}, typ, shape)
}

func (s *Store) add(mem memory, typ Type, shape []int) *Tensor {
	t := &Tensor{Name: mem.name, Shape: append([]int(nil), shape...), Type: typ}
	mem.bytes, mem.owner, mem.index = t.Bytes(), s, len(s.tensors)
	t.mem = &mem
	s.tensors = append(s.tensors, t)
	return t
}

// taken is the memory of one copy of a tensor, its padding and guards included.
func (m *memory) taken() int64 { return alignUp(m.bytes, viewAlign) + 2*m.guard }

// Bytes is the device memory that the store's tensors need, copies included.
func (s *Store) Bytes() int64 {
	var n int64
	for _, t := range s.tensors {
		n += t.mem.taken() * t.mem.copies()
	}
	return n
}

func (m *memory) copies() int64 {
	if m.host || m.twin != nil {
		return Slots
	}
	return 1
}

// place is where the memory must lie.
func (m *memory) place() place {
	switch {
	case m.host:
		return inHost
	case m.twin != nil:
		return inInput
	}
	return inDevice
}

// Allocate takes the memory of all tensors, filled with zeros, and closes the
// declaration. Large stores become several buffers; no tensor lies in two.
func (s *Store) Allocate(d *Device) error {
	if s.dev != nil {
		return errors.New("gpu: store is allocated already")
	}
	s.dev = d
	if err := s.allocate(); err != nil {
		s.Close()
		return fmt.Errorf("gpu: allocate %s: %w", FormatBytes(s.Bytes()), err)
	}
	return nil
}

func (s *Store) allocate() error {
	s.at = make([]location, len(s.tensors))
	for _, at := range []place{inDevice, inInput, inHost} {
		var pending []*memory // the tensors of the next buffer
		var bytes int64
		flush := func() error {
			if len(pending) == 0 {
				return nil
			}
			what := fmt.Sprintf("memory for %s and %d more tensors", pending[0].name, len(pending)-1)
			b, err := s.dev.newBuffer(what, at, bytes)
			if err != nil {
				return err
			}
			s.buffers = append(s.buffers, b)
			for _, m := range pending {
				s.at[m.index].buffer = b
			}
			pending, bytes = nil, 0
			return nil
		}
		for _, t := range s.tensors {
			m := t.mem
			if m.place() != at {
				continue
			}
			need := m.taken() * m.copies()
			if bytes+need > s.dev.MaxBuffer {
				if err := flush(); err != nil {
					return err
				}
			}
			s.at[m.index].offset = bytes + m.guard
			if m.copies() > 1 {
				s.at[m.index].stride = m.taken()
			}
			bytes += need
			pending = append(pending, m)
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if len(s.buffers) == 0 {
		return nil
	}
	if err := s.dev.fill(0, s.buffers...); err != nil {
		return err
	}
	return s.eachGuard(func(b *buffer, offset int64, band []byte) error {
		return s.dev.write(b, offset, band)
	})
}

// guardWord fills guard bands: a signalling NaN, so that even y += x, which
// would leave a quiet one as it is, changes it.
const guardWord = 0x7fa0dead

// eachGuard calls do with every guard band's place and proper content.
func (s *Store) eachGuard(do func(b *buffer, offset int64, band []byte) error) error {
	for i, t := range s.tensors {
		m := t.mem
		if m.guard == 0 {
			continue
		}
		l := s.at[i]
		behind := m.guard + alignUp(m.bytes, viewAlign) - m.bytes
		for _, band := range []struct{ offset, bytes int64 }{
			{l.offset - m.guard, m.guard},
			{l.offset + m.bytes, behind},
		} {
			want := make([]byte, band.bytes)
			for j := 0; j < len(want); j += wordBytes {
				binary.LittleEndian.PutUint32(want[j:], guardWord)
			}
			if err := do(l.buffer, band.offset, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckGuards returns an error that names the first guarded tensor beyond
// whose ends something was written.
func (s *Store) CheckGuards() error {
	for _, t := range s.tensors {
		if t.mem.guard == 0 {
			continue
		}
		one := Store{tensors: []*Tensor{t}, dev: s.dev, at: s.at[t.mem.index : t.mem.index+1]}
		err := one.eachGuard(func(b *buffer, offset int64, want []byte) error {
			got := make([]byte, len(want))
			if err := s.dev.read(b, offset, got); err != nil {
				return err
			}
			for i := 0; i < len(got); i += wordBytes {
				if w := binary.LittleEndian.Uint32(got[i:]); w != guardWord {
					element := (offset + int64(i) - one.at[0].offset) / wordBytes
					return fmt.Errorf("gpu: %v: element %d, outside of it, was written: %#x", t, element, w)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// locate finds the bytes of a tensor, or of a view of one, in a slot.
func (s *Store) locate(t *Tensor, slot int) (*buffer, int64, error) {
	switch {
	case t.err != nil:
		return nil, 0, t.err
	case t.mem == nil || t.mem.owner != s:
		return nil, 0, errors.New("the tensor is not in this store")
	case s.dev == nil || t.mem.index >= len(s.at):
		return nil, 0, errors.New("it has no memory yet: the store is not allocated")
	}
	l := s.at[t.mem.index]
	return l.buffer, l.offset + int64(slot)*l.stride + t.off, nil
}

// Write copies data to a tensor of device memory, after all that was submitted
// before; it waits. A host tensor or an input is written with Mapped.
func (s *Store) Write(t *Tensor, data []byte) error {
	if int64(len(data)) != t.Bytes() {
		return fmt.Errorf("gpu: write %d bytes to %v of %d", len(data), t, t.Bytes())
	}
	b, offset, err := s.single(t)
	if err == nil {
		err = s.dev.write(b, offset, data)
	}
	if err != nil {
		return fmt.Errorf("gpu: write %v: %w", t, err)
	}
	return nil
}

// single locates a tensor of which there is one copy.
func (s *Store) single(t *Tensor) (*buffer, int64, error) {
	b, offset, err := s.locate(t, 0)
	if err == nil && t.mem.copies() > 1 {
		err = errors.New("it has a copy for each slot; see Mapped")
	}
	return b, offset, err
}

// Read copies a tensor of device memory to data, after all that was
// submitted before; it waits. A host tensor is read with Mapped.
func (s *Store) Read(t *Tensor, data []byte) error {
	if int64(len(data)) != t.Bytes() {
		return fmt.Errorf("gpu: read %d bytes from %v of %d", len(data), t, t.Bytes())
	}
	b, offset, err := s.single(t)
	if err == nil {
		err = s.dev.read(b, offset, data)
	}
	if err != nil {
		return fmt.Errorf("gpu: read %v: %w", t, err)
	}
	return nil
}

// WriteF32 is Write for float32 values.
func (s *Store) WriteF32(t *Tensor, values []float32) error {
	return s.Write(t, F32Bytes(values))
}

// ReadF32 is Read for float32 values.
func (s *Store) ReadF32(t *Tensor) ([]float32, error) {
	data := make([]byte, t.Bytes())
	if err := s.Read(t, data); err != nil {
		return nil, err
	}
	return BytesF32(data), nil
}

// F32Bytes gives float32 values as the bytes of a tensor.
func F32Bytes(values []float32) []byte {
	data := make([]byte, wordBytes*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(data[wordBytes*i:], math.Float32bits(v))
	}
	return data
}

// BytesF32 is the reverse of F32Bytes.
func BytesF32(data []byte) []float32 {
	values := make([]float32, len(data)/wordBytes)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[wordBytes*i:]))
	}
	return values
}

// Mapped is a slot's copy of a host tensor, or what goes into an input's, where
// the host may read and write while no run of that slot is under way; nil if t
// is neither or the store not allocated.
func (s *Store) Mapped(t *Tensor, slot int) []byte {
	if t.mem != nil && t.mem.twin != nil {
		view := *t
		view.mem = t.mem.twin.mem
		t = &view
	}
	b, offset, err := s.locate(t, slot)
	if err != nil || !t.mem.host {
		return nil
	}
	return b.mapped[offset : offset+t.Bytes() : offset+t.Bytes()]
}

// Close frees the memory; no program that uses it may be running.
func (s *Store) Close() {
	for _, b := range s.buffers {
		b.close()
	}
	s.buffers, s.at, s.dev = nil, nil, nil
}
