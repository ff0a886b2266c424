package data

import (
	"context"
	"fmt"
	"io"
	"sort"
)

// records is the Source of undecoded pictures of one size, stored one after
// the other in parts.
type records struct {
	parts    []part
	w, h     int
	channels int  // 1 or 3
	planar   bool // one channel after the other, as in CIFAR; else interleaved
	labels   []int
	classes  []string
	area     int // larger pictures are shrunk to this W*H
	closers  []io.Closer
}

// part is a run of n records in one file: record i's pixels begin at byte
// off + i*stride.
type part struct {
	name        string
	r           io.ReaderAt
	off, stride int64
	first, n    int // numbers of its pictures: first to first+n-1
}

// set makes a Set of s, whose pictures need no scan.
func (s *records) set() *Set {
	w, h := fit(s.w, s.h, s.area)
	return &Set{Source: s, Area: w * h}
}

func (s *records) Len() int          { return len(s.labels) }
func (s *records) Label(i int) int   { return s.labels[i] }
func (s *records) Classes() []string { return s.classes }

func (s *records) Name(i int) string {
	p := s.part(i)
	return fmt.Sprintf("%s[%d]", p.name, i-p.first)
}

func (s *records) part(i int) *part {
	k := sort.Search(len(s.parts), func(k int) bool { return s.parts[k].first > i })
	return &s.parts[k-1]
}

func (s *records) Decode(_ context.Context, i int) (Image, error) {
	p := s.part(i)
	raw := make([]byte, s.channels*s.w*s.h)
	if _, err := p.r.ReadAt(raw, p.off+int64(i-p.first)*p.stride); err != nil {
		return Image{}, named(s.Name(i), damaged(err))
	}
	row := func(y int, dst []uint8) {
		for x := range s.w {
			for c := range 3 {
				at := (y*s.w+x)*s.channels + c%s.channels
				if s.planar {
					at = (c*s.h+y)*s.w + x
				}
				dst[3*x+c] = raw[at]
			}
		}
	}
	return pack(s.w, s.h, row, s.area), nil
}

func (s *records) Close() error { return closeAll(s.closers) }

// closeAll closes all and returns the first error.
func closeAll(closers []io.Closer) error {
	var first error
	for _, c := range closers {
		if err := c.Close(); first == nil {
			first = err
		}
	}
	return first
}
