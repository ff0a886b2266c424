package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// ErrFormat is wrapped by every error that says a file is damaged, not one of
// torch.save, or holds what weights do not need.
var ErrFormat = errors.New("not a whole file of torch.save")

// Read reads what was saved in a file of the given size. Its tensors stay where
// they are; they may be read concurrently, as long as r can be.
func Read(r io.ReaderAt, size int64) (root any, err error) {
	if Legacy(r) {
		root, err = readLegacy(r, size)
	} else {
		root, err = readZip(r, size)
	}
	if err != nil {
		return nil, fmt.Errorf("pth: %w: %w", ErrFormat, err)
	}
	return root, nil
}

// readZip reads a zip: NAME/data.pkl and a record NAME/data/KEY per storage.
func readZip(r io.ReaderAt, size int64) (any, error) {
	b := &bounded{r: r, left: maxDirectory}
	z, err := zip.NewReader(b, size)
	if err != nil {
		return nil, err
	}
	b.open = true
	records := map[string]*zip.File{}
	var pickle *zip.File
	for _, f := range z.File {
		records[f.Name] = f
		if path.Base(f.Name) == "data.pkl" && strings.Count(f.Name, "/") <= 1 {
			pickle = f
		}
	}
	if pickle == nil {
		return nil, errors.New("a zip without data.pkl")
	}
	folder := strings.TrimSuffix(pickle.Name, "data.pkl")
	if records[folder+"constants.pkl"] != nil {
		return nil, errors.New("a TorchScript program; save its state_dict()")
	}
	if order := records[folder+"byteorder"]; order != nil {
		if b, err := readRecord(order, 16); err != nil || string(b) != "little" {
			return nil, fmt.Errorf("byte order %q (%v)", b, err)
		}
	}
	text, err := readRecord(pickle, maxPickle)
	if err != nil {
		return nil, err
	}
	u := unpickler{b: text, storage: func(id Tuple) (*storage, error) {
		s, key, err := storageOf(id)
		if err != nil {
			return nil, err
		}
		record := records[folder+"data/"+key]
		if record == nil {
			return nil, fmt.Errorf("storage %q is missing", clip(key))
		}
		if want := uint64(s.elements * s.dtype.Size()); record.UncompressedSize64 != want {
			return nil, fmt.Errorf("storage %q has %d bytes, its %d elements of %s need %d", clip(key), record.UncompressedSize64, s.elements, s.dtype, want)
		}
		s.open = record.Open
		return s, nil
	}}
	root, _, err := u.load()
	return root, err
}

// maxDirectory bounds a zip's directory, in which a record takes some hundred
// bytes, and with it the memory for reading it.
const maxDirectory = 8 << 20

// bounded reads so many bytes at most until it is opened.
type bounded struct {
	r    io.ReaderAt
	left int
	open bool
}

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if !b.open {
		if b.left -= len(p); b.left < 0 {
			return 0, fmt.Errorf("the zip's directory has more than %d bytes", maxDirectory)
		}
	}
	return b.r.ReadAt(p, at)
}

// readRecord reads a record of at most limit bytes.
func readRecord(f *zip.File, limit int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", f.Name, f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r) // no more than the size, to which package zip holds it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return b, nil
}

// storageOf reads a persistent id ('storage', class, key, device, elements).
func storageOf(id Tuple) (*storage, string, error) {
	if len(id) < 5 || id[0] != any("storage") {
		return nil, "", fmt.Errorf("a persistent id of %d parts", len(id))
	}
	c, ok := id[1].(class)
	key, ok2 := id[2].(string)
	n, ok3 := id[4].(int)
	dtype := storageTypes[string(c)]
	if !ok || !ok2 || !ok3 || dtype == "" || n < 0 || n > maxElements {
		return nil, "", fmt.Errorf("a storage of %s, %s, %s", kind(id[1]), kind(id[2]), kind(id[4]))
	}
	return &storage{dtype: dtype, elements: n}, key, nil
}

// maxElements keeps the bytes of a storage within an int.
const maxElements = 1 << 56

// legacyHead begins files of PyTorch before 1.6: pickles of a magic number and
// of the protocol version 1001.
var legacyHead = []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")

// Legacy reports whether a file has the older format.
func Legacy(r io.ReaderAt) bool {
	head := make([]byte, len(legacyHead))
	n, _ := r.ReadAt(head, 0)
	return bytes.Equal(head[:n], legacyHead)
}

// readLegacy reads the older format: after its head a pickle about the system,
// one of what was saved, one of the storages' keys, and the storages in that
// order, each with the number of its elements in front.
func readLegacy(r io.ReaderAt, size int64) (any, error) {
	at := int64(len(legacyHead))
	b := make([]byte, min(size-at, maxPickle))
	if _, err := r.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	storages := map[string]*storage{}
	find := func(id Tuple) (*storage, error) {
		s, key, err := storageOf(id)
		if err != nil {
			return nil, err
		}
		if len(id) > 5 && id[5] != nil {
			return nil, fmt.Errorf("storage %q is a view of another; load and save the file with a later PyTorch", clip(key))
		}
		if old := storages[key]; old != nil {
			if old.dtype != s.dtype || old.elements != s.elements {
				return nil, fmt.Errorf("storage %q has two sizes", clip(key))
			}
			return old, nil
		}
		storages[key] = s
		return s, nil
	}
	rest := b
	var parts [3]any
	for i, what := range []string{"system", "content", "storages' keys"} {
		u := unpickler{b: rest, storage: find}
		var err error
		if parts[i], rest, err = u.load(); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	keys, ok := parts[2].(*List)
	if !ok {
		return nil, fmt.Errorf("%s for the storages' keys", kind(parts[2]))
	}
	return parts[1], locate(r, size, at+int64(len(b)-len(rest)), keys, storages)
}

// locate finds the storages of the older format, which begin at a byte.
func locate(r io.ReaderAt, size, at int64, keys *List, storages map[string]*storage) error {
	for _, k := range keys.Items {
		key, ok := k.(string)
		s := storages[key]
		if !ok || s == nil || s.open != nil {
			return fmt.Errorf("%s %q is listed as a storage, but no tensor uses it", kind(k), clip(key))
		}
		var count [8]byte
		if _, err := r.ReadAt(count[:], at); err != nil {
			return fmt.Errorf("storage %q: %w", clip(key), cut(err))
		}
		at += 8
		bytes := int64(s.elements) * int64(s.dtype.Size())
		if n := binary.LittleEndian.Uint64(count[:]); n != uint64(s.elements) || bytes > size-at {
			return fmt.Errorf("storage %q of %d elements has %d, and the file ends %d bytes on", clip(key), s.elements, n, size-at)
		}
		begin := at
		s.open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(r, begin, bytes)), nil }
		at += bytes
	}
	for key, s := range storages {
		if s.open == nil {
			return fmt.Errorf("storage %q is missing", clip(key))
		}
	}
	return nil
}
