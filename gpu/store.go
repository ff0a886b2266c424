package gpu

// Slots is how many runs of a program can be under way: every host tensor has
// a copy for each, so that the host prepares one while the device uses another.
const Slots = 2

// Store holds the tensors that outlive a run: weights, moments, inputs,
// results. Tensors are declared first, which makes no Vulkan call; Bytes says
// what they need; Allocate takes the memory, all zero.
type Store struct {
	tensors []*Tensor
}

// NewStore is an empty store.
func NewStore() *Store { return &Store{} }

// New declares a tensor in device memory.
func (s *Store) New(name string, typ Type, shape ...int) *Tensor {
	return s.add(name, typ, false, shape)
}

// Host declares a tensor in memory that the host maps, with one copy a slot.
func (s *Store) Host(name string, typ Type, shape ...int) *Tensor {
	return s.add(name, typ, true, shape)
}

func (s *Store) add(name string, typ Type, host bool, shape []int) *Tensor {
	t := &Tensor{Name: name, Shape: append([]int(nil), shape...), Type: typ}
	t.mem = &memory{name: name, bytes: t.Bytes(), owner: s, index: len(s.tensors), host: host}
	s.tensors = append(s.tensors, t)
	return t
}

// Bytes is the device memory that the store's tensors need, copies included.
func (s *Store) Bytes() int64 {
	var n int64
	for _, t := range s.tensors {
		b := alignUp(t.mem.bytes, viewAlign)
		if t.mem.host {
			b *= Slots
		}
		n += b
	}
	return n
}
