package data

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"math/rand/v2"
)

// Sampler deals the pictures 0..n-1 into batches: each epoch in a new order,
// without the n%batch last ones of that order.
type Sampler struct {
	n, batch int
	seed     uint64
}

// NewSampler deals n pictures into batches of batch pictures. A set smaller
// than one batch is an error.
func NewSampler(n, batch int, seed uint64) (*Sampler, error) {
	if batch < 1 || n < batch {
		return nil, fmt.Errorf("%d pictures give no batch of %d: use a batch size from 1 to %d, or more pictures", n, batch, n)
	}
	return &Sampler{n, batch, seed}, nil
}

// Steps is the number of batches in an epoch.
func (s *Sampler) Steps() int { return s.n / s.batch }

// Batches yields the batches from the given step (counted from 0 over all
// epochs) on, without end. The slices are the caller's to keep.
func (s *Sampler) Batches(step int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		epoch, at := step/s.Steps(), step%s.Steps()
		for ; ; epoch, at = epoch+1, 0 {
			order := Order(s.seed, epoch, s.n)
			for ; at < s.Steps(); at++ {
				if !yield(order[at*s.batch : (at+1)*s.batch : (at+1)*s.batch]) {
					return
				}
			}
		}
	}
}

// Order is the permutation of 0..n-1 for an epoch: a Fisher-Yates shuffle by
// ChaCha8 keyed with (seed, epoch), the same on every machine.
func Order(seed uint64, epoch, n int) []int {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(epoch))
	copy(key[16:], "dino-vk/order")
	random := rand.NewChaCha8(key)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := below(random, uint64(i)+1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// below draws uniformly from 0..n-1 (Lemire, Fast Random Integer Generation in
// an Interval, 2019). It is spelled out because math/rand/v2 does not promise
// its own draws to stay, and resuming a run needs them to.
func below(random *rand.ChaCha8, n uint64) uint64 {
	hi, lo := bits.Mul64(random.Uint64(), n)
	for lo < n && lo < -n%n {
		hi, lo = bits.Mul64(random.Uint64(), n)
	}
	return hi
}
