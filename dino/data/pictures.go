package data

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// entry is one picture file: a file of its own, or a part of a tar.
type entry struct {
	name  string // as people are told
	class string // "" = none
	path  string // the file; if empty, the bytes [off, off+size) of tar
	tar   io.ReaderAt
	off   int64
	size  int64

	area   int // W*H after shrinking, as scanned
	format string
}

// open returns the entry's bytes.
func (e *entry) open() (*io.SectionReader, io.Closer, error) {
	if e.path == "" {
		return io.NewSectionReader(e.tar, e.off, e.size), io.NopCloser(nil), nil
	}
	f, info, err := openRegular(e.path)
	if err != nil {
		return nil, nil, err
	}
	return io.NewSectionReader(f, 0, info.Size()), f, nil
}

// pictures is the Source of encoded picture files, wherever they lie.
type pictures struct {
	entries   []entry
	labels    []int
	classes   []string
	limit     int // Options.Area
	area      int // the largest of entries
	maxPixels int
	decoder   string              // of JPEG files
	decoding  *semaphore.Weighted // pixels being decoded, at most maxPixels
	closers   []io.Closer
}

// newPictures reads the headers of entries and makes a Set of those that can
// be read; skipped are files that were left out before. It closes closers when
// it fails or when the Set is closed.
func newPictures(ctx context.Context, entries []entry, skipped []error, closers []io.Closer, o Options) (*Set, error) {
	p := &pictures{
		limit: o.Area, maxPixels: o.MaxPixels,
		decoding: semaphore.NewWeighted(int64(o.MaxPixels)),
		closers:  closers,
	}
	var err error
	if p.decoder, err = jpegDecoder(o.JPEG); err != nil {
		p.Close()
		return nil, err
	}
	errs := p.scan(ctx, entries, o)
	if err := ctx.Err(); err != nil {
		p.Close()
		return nil, err
	}
	set := &Set{Source: p, Skipped: skipped}
	for i, e := range entries {
		if errs[i] != nil {
			set.Skipped = append(set.Skipped, errs[i])
			continue
		}
		p.entries = append(p.entries, e)
		p.area = max(p.area, e.area)
		if e.format == "jpeg" {
			set.JPEG = p.decoder
		}
	}
	p.classes, p.labels = label(p.entries)
	set.Area = p.area
	return set, nil
}

// scan reads every entry's header and notes what it says, or why it cannot be
// read.
func (p *pictures) scan(ctx context.Context, entries []entry, o Options) []error {
	errs := make([]error, len(entries))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	for range min(o.Workers, len(entries)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(entries) {
					return
				}
				errs[i] = p.scanOne(&entries[i])
				if n := int(done.Add(1)); o.Progress != nil && (n%1024 == 0 || n == len(entries)) {
					o.Progress(n, len(entries))
				}
			}
		})
	}
	wg.Wait()
	return errs
}

func (p *pictures) scanOne(e *entry) error {
	r, c, err := e.open()
	if err != nil {
		return named(e.name, err)
	}
	defer c.Close()
	h, err := p.readHeader(r)
	if err != nil {
		return named(e.name, err)
	}
	w, height := fit(h.w, h.h, p.limit)
	e.area, e.format = w*height, h.format
	return nil
}

// readHeader reads a picture's header and holds the file's length against it.
func (p *pictures) readHeader(r *io.SectionReader) (header, error) {
	if r.Size() == 0 {
		return header{}, fmt.Errorf("an empty file: remove it")
	}
	h, err := readHeader(io.NewSectionReader(r, 0, r.Size()), p.maxPixels)
	if err != nil {
		return header{}, err
	}
	// Eight bytes hold any pixel uncompressed; metadata and previews come on top.
	const metadata = 64 << 20
	if limit := 8*int64(h.w)*int64(h.h) + metadata; r.Size() > limit {
		return header{}, fmt.Errorf("%d bytes for %d x %d pixels: convert or remove it", r.Size(), h.w, h.h)
	}
	return h, nil
}

func (p *pictures) Len() int          { return len(p.entries) }
func (p *pictures) Name(i int) string { return p.entries[i].name }
func (p *pictures) Label(i int) int   { return p.labels[i] }
func (p *pictures) Classes() []string { return p.classes }

func (p *pictures) Decode(ctx context.Context, i int) (Image, error) {
	img, err := p.decode(ctx, &p.entries[i])
	if err != nil {
		return Image{}, named(p.entries[i].name, err)
	}
	return img, nil
}

func (p *pictures) decode(ctx context.Context, e *entry) (Image, error) {
	r, c, err := e.open()
	if err != nil {
		return Image{}, err
	}
	defer c.Close()
	h, err := p.readHeader(r)
	if err != nil {
		return Image{}, err
	}
	pixels := int64(h.w) * int64(h.h)
	if err := p.decoding.Acquire(ctx, pixels); err != nil {
		return Image{}, err
	}
	defer p.decoding.Release(pixels)
	file := make([]byte, r.Size())
	if _, err := io.ReadFull(r, file); err != nil {
		return Image{}, damaged(err)
	}
	img, err := decodeFile(file, h, p.limit, p.decoder)
	if err == nil && img.W*img.H > p.area {
		err = fmt.Errorf("%d x %d pixels: it has grown since the set was opened, start again", img.W, img.H)
	}
	return img, err
}

func (p *pictures) Close() error { return closeAll(p.closers) }

// label numbers the classes of entries: sorted by name, or by value if all are
// whole numbers.
func label(entries []entry) (classes []string, labels []int) {
	index := map[string]int{}
	for _, e := range entries {
		if _, ok := index[e.class]; !ok && e.class != "" {
			index[e.class] = 0
			classes = append(classes, e.class)
		}
	}
	slices.SortFunc(classes, compareClasses(classes))
	for i, c := range classes {
		index[c] = i
	}
	labels = make([]int, len(entries))
	for i, e := range entries {
		labels[i] = -1
		if e.class != "" {
			labels[i] = index[e.class]
		}
	}
	return classes, labels
}

func compareClasses(classes []string) func(a, b string) int {
	for _, c := range classes {
		if _, err := strconv.Atoi(c); err != nil {
			return strings.Compare
		}
	}
	return func(a, b string) int {
		i, _ := strconv.Atoi(a)
		j, _ := strconv.Atoi(b)
		if i != j {
			return i - j
		}
		return strings.Compare(a, b) // "1" and "01" are different names
	}
}

// withDefaults fills in what was left zero.
func (o Options) withDefaults() Options {
	if o.Area == 0 {
		o.Area = 512 * 512
	}
	if o.MaxPixels == 0 {
		o.MaxPixels = 100_000_000
	}
	if o.JPEG == "" {
		o.JPEG = JPEGAuto
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o
}
