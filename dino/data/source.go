package data

import (
	"context"
	"errors"
)

// Image is a picture of W x H pixels: 8-bit RGB, interleaved, row-major, so
// len(Pix) = 3*W*H.
type Image struct {
	W, H int
	Pix  []uint8
}

// Source is a numbered set of pictures. Its order is a function of the data
// alone. Methods may be called from several goroutines at once.
type Source interface {
	// Len is the number of pictures.
	Len() int
	// Name tells people which picture i is.
	Name(i int) string
	// Label is picture i's index into Classes, or -1 where it has none.
	Label(i int) int
	// Classes are the names of the classes, in order; empty without labels.
	Classes() []string
	// Decode reads picture i. Its errors name the picture.
	Decode(ctx context.Context, i int) (Image, error)
	Close() error
}

// Set is an opened Source of which the headers have been read.
type Set struct {
	Source
	// Origin is the path that Open was given; of a pack, that by which the packed
	// set was opened.
	Origin string
	// Area is the largest W*H that Decode returns: it sizes staging memory.
	Area int
	// JPEG is the decoder of the set's JPEG files, JPEGTurbo or JPEGGo; empty
	// where it has none. Their pixels depend on it.
	JPEG string
	// Skipped says of every file that was left out which it is, why, and what
	// would help.
	Skipped []error
}

// ErrNoImages is wrapped by the error for a path without one readable picture.
var ErrNoImages = errors.New("no readable picture")

// Options bound what opening and decoding may take. The zero value stands for
// the defaults.
type Options struct {
	// Area is the largest W*H of a decoded picture (default 512*512). Larger
	// ones are shrunk to it, antialiased, with their aspect kept.
	Area int
	// MaxPixels is the most pixels a file's header may claim (default 100
	// million), and the most that are decoded at one time by all workers.
	MaxPixels int
	// JPEG is one of JPEGDecoders (default JPEGAuto).
	JPEG string
	// Workers read headers in parallel (default: one per CPU).
	Workers int
	// Progress, if set, is told now and then how many headers of how many have
	// been read. It may be called from several goroutines.
	Progress func(done, total int)
}

// LabelsIn gives each picture of src its index into classes, the classes of
// another set, by name; -1 where the picture has no label or classes lack it.
func LabelsIn(src Source, classes []string) []int {
	labels := make([]int, src.Len())
	for i := range labels {
		labels[i] = src.Label(i)
	}
	return Relabel(labels, src.Classes(), classes)
}

// Relabel turns labels, indices into the classes from, into indices into the
// classes to, by name; -1 where there is no label or to lacks it.
func Relabel(labels []int, from, to []string) []int {
	index := make(map[string]int, len(to))
	for i, name := range to {
		index[name] = i
	}
	list := make([]int, len(labels))
	for i, l := range labels {
		list[i] = -1
		if l >= 0 {
			if j, ok := index[from[l]]; ok {
				list[i] = j
			}
		}
	}
	return list
}
