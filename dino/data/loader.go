package data

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
)

// Item is one picture of a batch.
type Item struct {
	// Index is the picture that was asked for; it keys the randomness.
	Index int
	// Read is the picture that Image shows: Index, or where that could not be
	// decoded the next that could, modulo the number of pictures.
	Read  int
	Image Image
}

// Batch is what a Loader delivers.
type Batch struct {
	Items []Item
	// Skipped are the errors of pictures that could not be decoded, each in
	// the first batch that met it.
	Skipped []error
}

// Loader decodes batches of pictures in parallel and delivers them in order.
// What it delivers depends on the pictures and the order alone. Next and Close
// are for one goroutine.
type Loader struct {
	src    Source
	cancel context.CancelFunc
	ctx    context.Context
	ready  chan *pending
	ended  sync.WaitGroup

	mu       sync.Mutex
	failed   map[int]error // pictures that could not be decoded
	reported map[int]bool
}

// pending is a batch being decoded.
type pending struct {
	items   []Item
	errs    []error
	missing sync.WaitGroup
}

type task struct {
	batch *pending
	slot  int
}

// NewLoader starts to decode batches, which it draws from another goroutine,
// with the given number of workers. At most ahead batches are drawn and not yet
// taken by Next. Close must be called.
func NewLoader(ctx context.Context, src Source, batches iter.Seq[[]int], workers, ahead int) *Loader {
	l := &Loader{
		src: src,
		// One more batch waits in the dispatcher's hand.
		ready:    make(chan *pending, max(1, ahead)-1),
		failed:   map[int]error{},
		reported: map[int]bool{},
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	tasks := make(chan task)
	l.ended.Go(func() {
		defer close(l.ready)
		defer close(tasks)
		for indices := range batches {
			if !l.dispatch(indices, tasks) {
				return
			}
		}
	})
	for range max(1, workers) {
		l.ended.Go(func() {
			for t := range tasks {
				item := &t.batch.items[t.slot]
				item.Read, item.Image, t.batch.errs[t.slot] = l.decode(item.Index)
				t.batch.missing.Done()
			}
		})
	}
	return l
}

// dispatch hands a batch's pictures to the workers, then the batch to Next.
// It returns false when the loader has been closed.
func (l *Loader) dispatch(indices []int, tasks chan<- task) bool {
	b := &pending{items: make([]Item, len(indices)), errs: make([]error, len(indices))}
	for slot, i := range indices {
		b.items[slot].Index = i
		b.missing.Add(1)
		select {
		case tasks <- task{b, slot}:
		case <-l.ctx.Done():
			return false
		}
	}
	select {
	case l.ready <- b:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// decode reads picture i or the next one that can be read.
func (l *Loader) decode(i int) (int, Image, error) {
	n := l.src.Len()
	if i < 0 || i >= n {
		return i, Image{}, fmt.Errorf("picture %d of %d was asked for", i, n)
	}
	for k := range n {
		at := (i + k) % n
		l.mu.Lock()
		err := l.failed[at]
		l.mu.Unlock()
		if err != nil {
			continue
		}
		img, err := l.src.Decode(l.ctx, at)
		if l.ctx.Err() != nil {
			return at, Image{}, l.ctx.Err()
		}
		if err == nil {
			return at, img, nil
		}
		l.mu.Lock()
		l.failed[at] = err
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return i, Image{}, fmt.Errorf("%w: all %d failed to decode, among them %w", ErrNoImages, n, l.failed[i])
}

// Next waits for the next batch. It returns io.EOF after the last one, the
// context's error when that ends, and ErrNoImages when nothing can be decoded.
func (l *Loader) Next() (Batch, error) {
	if err := l.ctx.Err(); err != nil {
		return Batch{}, err
	}
	select {
	case b, ok := <-l.ready:
		if !ok {
			if err := l.ctx.Err(); err != nil {
				return Batch{}, err
			}
			return Batch{}, io.EOF
		}
		b.missing.Wait()
		for _, err := range b.errs {
			if err != nil {
				return Batch{}, err
			}
		}
		return Batch{Items: b.items, Skipped: l.skipped(b.items)}, nil
	case <-l.ctx.Done():
		return Batch{}, l.ctx.Err()
	}
}

// skipped lists what was passed over between each item's Index and Read and
// has not been reported.
func (l *Loader) skipped(items []Item) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, item := range items {
		for i := item.Index; i != item.Read; i = (i + 1) % l.src.Len() {
			if !l.reported[i] {
				l.reported[i] = true
				errs = append(errs, l.failed[i])
			}
		}
	}
	return errs
}

// Close stops the workers and waits for them.
func (l *Loader) Close() {
	l.cancel()
	l.ended.Wait()
}
