package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"dino-vk/dino/safetensors"
)

// errDamagedPack says what helps against a pack that is not as it was written.
var errDamagedPack = errors.New("the pack is damaged: copy it again or pack the pictures anew")

// packed is the Source of a file that WritePack wrote.
type packed struct {
	pictures *io.SectionReader
	offsets  []int64
	labels   []int32
	classes  []string
	names    []string
	origin   string // Set.Origin
	limit    int    // Options.Area
	file     io.Closer
}

// isSafetensors reports whether a file that begins with head may be a
// safetensors file: the length of a JSON object, then the object.
func isSafetensors(head []byte) bool {
	return len(head) > 8 && binary.LittleEndian.Uint64(head) < 1<<30 && head[8] == '{'
}

// openPack opens a pack and takes over b.
func openPack(b *blob, path string, o Options) (*Set, error) {
	set, err := readPack(b, path, o)
	if err != nil {
		b.Close()
		return nil, err
	}
	return set, nil
}

func readPack(b *blob, path string, o Options) (*Set, error) {
	f, err := safetensors.NewFile(b, b.size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errDamagedPack, err)
	}
	if f.Metadata["format"] != packFormat {
		return nil, fmt.Errorf("%s: a safetensors file that holds no packed pictures: it must be %s", path, understood)
	}
	p := &packed{limit: o.Area, file: b}
	decoder := f.Metadata["jpeg"]
	if err := p.readIndex(f, decoder); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errDamagedPack, err)
	}
	if decoder != "" && o.JPEG != JPEGAuto && o.JPEG != decoder {
		return nil, fmt.Errorf("%s: its JPEG files were decoded by %s, not %s: choose that one, or pack the pictures anew", path, decoder, o.JPEG)
	}
	set := &Set{Source: p, Origin: p.origin, JPEG: decoder}
	for i := range p.names {
		n := p.pixels(i)
		if n > o.MaxPixels {
			return nil, fmt.Errorf("%s: %s has %d pixels, more than the limit of %d", path, p.names[i], n, o.MaxPixels)
		}
		set.Area = max(set.Area, min(n, o.Area))
	}
	return set, nil
}

// readIndex reads all but the pictures, and checks it.
func (p *packed) readIndex(f *safetensors.File, decoder string) error {
	index, ok := f.Tensor("labels")
	if !ok {
		return errors.New("no labels")
	}
	n := index.Len()
	p.offsets, p.labels = make([]int64, n+1), make([]int32, n)
	if t, _ := f.Tensor("offsets"); t.Type != safetensors.I64 || t.Len() != n+1 {
		return fmt.Errorf("no offsets of %d pictures", n)
	}
	sum := make([]uint32, 1)
	if err := errors.Join(safetensors.Read(f, "offsets", p.offsets), safetensors.Read(f, "labels", p.labels), safetensors.Read(f, "checksum", sum)); err != nil {
		return err
	}
	classes, err := readText(f, "classes")
	if err != nil {
		return err
	}
	names, err := readText(f, "names")
	if err != nil {
		return err
	}
	origin, err := readText(f, "origin")
	if err != nil {
		return err
	}
	p.origin = string(origin)
	if sum[0] != indexChecksum(decoder, p.offsets, p.labels, classes, names, origin) {
		return errors.New("the index's checksum differs")
	}
	var whole bool
	if p.names, whole = splitNames(names, n); !whole {
		return fmt.Errorf("no names of %d pictures", n)
	}
	if p.classes, whole = splitNames(classes, bytes.Count(classes, []byte{0})); !whole {
		return errors.New("the last class has no end")
	}
	if p.pictures, err = f.Reader("pictures"); err != nil {
		return err
	}
	return p.check()
}

func readText(f *safetensors.File, name string) ([]byte, error) {
	r, err := f.Reader(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// check holds the index against the pictures, so that no number in it need be
// doubted later.
func (p *packed) check() error {
	if p.offsets[0] != 0 || p.offsets[len(p.names)] != p.pictures.Size() {
		return fmt.Errorf("offsets %d to %d in %d bytes of pictures", p.offsets[0], p.offsets[len(p.names)], p.pictures.Size())
	}
	for i, label := range p.labels {
		size := p.offsets[i+1] - p.offsets[i]
		if pixels := (size - recordHead) / 3; pixels < 1 || pixels > math.MaxInt32 || recordHead+3*pixels != size {
			return fmt.Errorf("picture %d of %d bytes", i, size)
		}
		if label < -1 || int(label) >= len(p.classes) {
			return fmt.Errorf("picture %d of class %d of %d", i, label, len(p.classes))
		}
	}
	return nil
}

func (p *packed) Len() int          { return len(p.names) }
func (p *packed) Name(i int) string { return p.names[i] }
func (p *packed) Label(i int) int   { return int(p.labels[i]) }
func (p *packed) Classes() []string { return p.classes }
func (p *packed) Close() error      { return p.file.Close() }
func (p *packed) pixels(i int) int  { return int(p.offsets[i+1]-p.offsets[i]-recordHead) / 3 }

func (p *packed) Decode(_ context.Context, i int) (Image, error) {
	img, err := p.read(i)
	if err != nil {
		return Image{}, named(p.names[i], err)
	}
	if img.W*img.H > p.limit {
		img = shrink(img.W, img.H, rgbRows(img), p.limit)
	}
	return img, nil
}

func (p *packed) read(i int) (Image, error) {
	b := make([]byte, p.offsets[i+1]-p.offsets[i])
	if _, err := p.pictures.ReadAt(b, p.offsets[i]); err != nil {
		return Image{}, damaged(err)
	}
	if recordChecksum(b) != binary.LittleEndian.Uint32(b[8:]) {
		return Image{}, fmt.Errorf("%w: its checksum differs", errDamagedPack)
	}
	h, err := p.sizeOf(i, b)
	return Image{W: h.W, H: h.H, Pix: b[recordHead:]}, err
}

// sizeOf reads the size of picture i from its record's head.
func (p *packed) sizeOf(i int, head []byte) (Header, error) {
	w, h := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	if w == 0 && h == 0 {
		return Header{}, errors.New("it could not be decoded when it was packed: correct or remove it and pack anew")
	}
	if uint64(w)*uint64(h) != uint64(p.pixels(i)) {
		return Header{}, fmt.Errorf("%w: %d x %d pixels in place of %d", errDamagedPack, w, h, p.pixels(i))
	}
	return Header{"packed RGB", int(w), int(h)}, nil
}

func (p *packed) header(i int) (Header, error) {
	var head [recordHead]byte
	if _, err := p.pictures.ReadAt(head[:], p.offsets[i]); err != nil {
		return Header{}, damaged(err)
	}
	return p.sizeOf(i, head[:])
}
