package data

import (
	"context"
	"errors"
	"fmt"
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
	// Name tells people which picture i is; it is unique but for repeats in a
	// list file.
	Name(i int) string
	// Label is picture i's index into Classes, or -1 where it has none.
	Label(i int) int
	// Classes are the names of the classes, sorted; empty without labels.
	Classes() []string
	// Decode reads picture i. Its errors name the picture.
	Decode(ctx context.Context, i int) (Image, error)
	Close() error
}

// ErrNoImages is wrapped by the error for a path without one readable picture.
var ErrNoImages = errors.New("no readable picture")

// Skip is a file that was left out, and why.
type Skip struct {
	Name string
	Err  error
}

func (s Skip) String() string { return fmt.Sprintf("%s: %v", s.Name, s.Err) }
