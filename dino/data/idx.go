package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// idxPrefix begins the names of MNIST's pictures, and of sets stored like it.
var idxPrefix = map[string]string{"train": "train-images", "test": "t10k-images"}

// isIDX reports whether a file that begins with head may be an IDX file of
// pictures: two zeros, the element type (0x08: unsigned byte), 3 or 4
// dimensions.
func isIDX(head []byte) bool {
	return len(head) >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= 0x08 && head[2] <= 0x0e && (head[3] == 3 || head[3] == 4)
}

// openIDX opens the IDX pictures in b, (n, rows, columns) or with a last
// dimension of 1 or 3 channels, and the labels in the file beside path that has
// "labels" and "idx1" where path has "images" and "idx3".
func openIDX(ctx context.Context, b *blob, path string, o Options) (*Set, error) {
	s := &records{channels: 1, area: o.Area, closers: []io.Closer{b}}
	err := s.readIDX(b, path, o.MaxPixels)
	if err == nil {
		err = s.readIDXLabels(ctx, path)
	}
	if err != nil {
		closeAll(s.closers)
		return nil, err
	}
	return s.set(), nil
}

func (s *records) readIDX(b *blob, path string, maxPixels int) error {
	dims, off, err := idxHeader(b, b.size)
	if err != nil {
		return named(path, err)
	}
	if len(dims) == 4 {
		s.channels = dims[3]
	}
	if len(dims) < 3 || s.channels != 1 && s.channels != 3 {
		return fmt.Errorf("%s: IDX dimensions %v: pictures have (n, rows, columns), with or without 1 or 3 channels", path, dims)
	}
	n := dims[0]
	s.h, s.w = dims[1], dims[2]
	if n == 0 || s.h == 0 || s.w == 0 {
		return fmt.Errorf("%s: %w: IDX dimensions %v", path, ErrNoImages, dims)
	}
	if s.w > maxPixels/s.h {
		return fmt.Errorf("%s: IDX pictures of %d x %d pixels, more than the limit of %d", path, s.w, s.h, maxPixels)
	}
	s.parts = []part{{name: filepath.Base(path), r: b, off: off, stride: int64(s.channels) * int64(s.w) * int64(s.h), n: n}}
	s.labels = make([]int, n)
	for i := range s.labels {
		s.labels[i] = -1
	}
	return nil
}

// idxHeader reads the dimensions of an IDX file of bytes and checks that its
// size is what they say; off is where the elements begin.
func idxHeader(r io.ReaderAt, size int64) (dims []int, off int64, err error) {
	var head [4]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, 0, damaged(err)
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 0x08 {
		return nil, 0, fmt.Errorf("magic number % x: not an IDX file of bytes", head)
	}
	raw := make([]byte, 4*int(head[3]))
	if _, err := r.ReadAt(raw, 4); err != nil {
		return nil, 0, damaged(err)
	}
	off = int64(4 + len(raw))
	want := int64(1)
	for ; len(raw) > 0; raw = raw[4:] {
		d := binary.BigEndian.Uint32(raw)
		dims = append(dims, int(d))
		if d != 0 && want > (size+1)/int64(d) { // the product would only grow, or be 0 by a later dimension
			want = size + 1
			continue
		}
		want *= int64(d)
	}
	if off+want != size {
		return nil, 0, fmt.Errorf("IDX dimensions %v do not fit a file of %d bytes: copy it again", dims, size)
	}
	return dims, off, nil
}

// readIDXLabels reads the labels beside path, if there are any.
func (s *records) readIDXLabels(ctx context.Context, path string) error {
	dir, base := filepath.Split(path)
	base = strings.TrimSuffix(base, ".gz")
	labels := strings.NewReplacer("images", "labels", "idx3", "idx1", "idx4", "idx1").Replace(base)
	if labels == base {
		return nil
	}
	b, err := openBlob(ctx, dir+labels)
	if errors.Is(err, os.ErrNotExist) {
		labels += ".gz"
		b, err = openBlob(ctx, dir+labels)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer b.Close()
	dims, off, err := idxHeader(b, b.size)
	if err != nil {
		return named(dir+labels, err)
	}
	if len(dims) != 1 || dims[0] != len(s.labels) {
		return fmt.Errorf("%s: IDX dimensions %v for %d pictures in %s: labels of another set?", dir+labels, dims, len(s.labels), base)
	}
	raw := make([]byte, dims[0])
	if _, err := b.ReadAt(raw, off); err != nil {
		return named(dir+labels, err)
	}
	for i, l := range raw {
		s.labels[i] = int(l)
		for len(s.classes) <= int(l) {
			s.classes = append(s.classes, fmt.Sprint(len(s.classes)))
		}
	}
	return nil
}
