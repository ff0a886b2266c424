package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// maxHeader bounds the JSON header, and with it the memory that opening a file
// takes; a model of a thousand tensors needs a hundred kilobytes.
const maxHeader = 16 << 20

// ErrFormat is wrapped by every error that says a file is damaged or not a
// safetensors file.
var ErrFormat = errors.New("not a whole safetensors file")

// Tensor describes one tensor of a file.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int

	begin, end int64 // in the file
}

// Len returns the number of elements.
func (t Tensor) Len() int { return int(t.Bytes() / int64(t.Type.Size())) }

// Bytes returns the size of the tensor's data.
func (t Tensor) Bytes() int64 { return t.end - t.begin }

// File is an opened safetensors file. Its methods may be called concurrently.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor // in file order

	r      io.ReaderAt
	byName map[string]int
	close  func() error
}

// Open opens the file at path; the caller closes it.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	file, err := NewFile(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.close = f.Close
	return file, nil
}

// NewFile reads the header of a file of the given size. Everything it says is
// checked: the tensors must cover the rest of the file exactly, without gap or
// overlap.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, byName: map[string]int{}}
	if err := f.readHeader(size); err != nil {
		return nil, fmt.Errorf("safetensors: %w: %w", ErrFormat, err)
	}
	return f, nil
}

// Close closes the underlying file, if Open opened one.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Tensor returns the description of the named tensor.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Reader returns a reader over the named tensor's bytes.
func (f *File) Reader(name string) (*io.SectionReader, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("safetensors: no tensor %q", name)
	}
	return io.NewSectionReader(f.r, t.begin, t.Bytes()), nil
}

// Read fills dst with the named tensor, whose type and length must match.
func Read[T Element](f *File, name string, dst []T) error {
	t, ok := f.Tensor(name)
	if !ok {
		return fmt.Errorf("safetensors: no tensor %q", name)
	}
	if t.Type != typeOf[T]() || t.Len() != len(dst) {
		return fmt.Errorf("safetensors: tensor %q is %s %v, not %s of %d elements",
			name, t.Type, t.Shape, typeOf[T](), len(dst))
	}
	r := io.NewSectionReader(f.r, t.begin, t.Bytes())
	for piece := range slices.Chunk(dst, 1<<14) {
		if err := binary.Read(r, binary.LittleEndian, piece); err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", name, err)
		}
	}
	return nil
}

func (f *File) readHeader(size int64) error {
	var prefix [8]byte
	if size < 8 {
		return fmt.Errorf("only %d bytes", size)
	}
	if _, err := f.r.ReadAt(prefix[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader || int64(n) > size-8 {
		return fmt.Errorf("header of %d bytes in a file of %d (at most %d)", n, size, maxHeader)
	}
	header := make([]byte, n)
	if _, err := f.r.ReadAt(header, 8); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return errors.New("header is not a JSON object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		name, ok := key.(string)
		if !ok {
			return errors.New("header: a key is not a string")
		}
		if name == metadataKey {
			if f.Metadata != nil {
				return errors.New("header: two metadata entries")
			}
			if err := dec.Decode(&f.Metadata); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		t, err := decodeTensor(dec, name, 8+int64(n), size)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		f.Tensors = append(f.Tensors, t)
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if rest := bytes.Trim(header[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return errors.New("header: text after the JSON object")
	}
	return f.index(8+int64(n), size)
}

// decodeTensor reads one header entry; the tensors' data lie between begin
// and size in the file.
func decodeTensor(dec *json.Decoder, name string, begin, size int64) (Tensor, error) {
	var e headerEntry
	if err := dec.Decode(&e); err != nil {
		return Tensor{}, err
	}
	want, err := byteSize(e.Type, e.Shape)
	if err != nil {
		return Tensor{}, err
	}
	if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > math.MaxInt64-begin {
		return Tensor{}, fmt.Errorf("byte range %v", e.Offsets)
	}
	t := Tensor{Name: name, Type: e.Type, Shape: e.Shape, begin: begin + e.Offsets[0], end: begin + e.Offsets[1]}
	if t.Bytes() != want {
		return Tensor{}, fmt.Errorf("%s %v needs %d bytes but has %d", e.Type, e.Shape, want, t.Bytes())
	}
	if t.end > size {
		return Tensor{}, fmt.Errorf("ends at byte %d of a file of %d (cut short?)", t.end, size)
	}
	return t, nil
}

// index sorts the tensors by place and checks that they cover the data.
func (f *File) index(begin, size int64) error {
	slices.SortStableFunc(f.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	for i, t := range f.Tensors {
		if _, twice := f.byName[t.Name]; twice {
			return fmt.Errorf("tensor %q appears twice", t.Name)
		}
		if t.begin != begin {
			return fmt.Errorf("tensor %q begins at byte %d instead of %d", t.Name, t.begin, begin)
		}
		f.byName[t.Name] = i
		begin = t.end
	}
	if begin != size {
		return fmt.Errorf("tensors end at byte %d of a file of %d", begin, size)
	}
	return nil
}
