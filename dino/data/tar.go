package data

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// archive is the index of a tar: where each member lies.
type archive struct {
	pictures []entry
	others   []entry // candidates for CIFAR binaries
	labelled bool    // the pictures have WebDataset labels for classes
	skipped  []error
}

// maxLabel bounds the WebDataset label files that are read.
const maxLabel = 1 << 20

// indexTar lists a tar's members without reading their contents, but for
// WebDataset labels: KEY.cls or KEY.json beside KEY.jpg, KEY being the name up
// to the first dot after its last slash. A name that occurs twice stands for the
// later member, as in tar.
func indexTar(r io.ReaderAt, size int64) (*archive, error) {
	section := io.NewSectionReader(r, 0, size)
	t := tar.NewReader(section)
	a := &archive{}
	labels := map[string]string{} // by WebDataset key
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		off, _ := section.Seek(0, io.SeekCurrent) // tar.Reader reads no further than it must
		if err == nil && h.Typeflag == tar.TypeReg && h.Size > size-off {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("the tar breaks off or is damaged near byte %d, after %d pictures (%w): copy it again",
				off, len(a.pictures), err)
		}
		name := path.Clean("/" + h.Name)[1:]
		if strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		e := entry{name: name, tar: r, off: off, size: h.Size}
		ext := extension(name)
		switch {
		case h.Typeflag == tar.TypeDir:
		case h.Typeflag != tar.TypeReg || sparse(h):
			if pictureNames[ext] {
				a.skipped = append(a.skipped, named(name, errors.New("a link or sparse file inside a tar: store it as a plain file")))
			}
		case pictureNames[ext]:
			a.pictures = append(a.pictures, e)
		case foreignNames[ext]:
			a.skipped = append(a.skipped, named(name, errForeign))
		case ext == ".cls" || ext == ".json":
			text, err := io.ReadAll(io.LimitReader(t, maxLabel))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if class := webLabel(ext, text); class != "" {
				labels[webKey(name)] = class
			}
		default:
			a.others = append(a.others, e)
		}
	}
	slices.SortStableFunc(a.pictures, func(x, y entry) int { return strings.Compare(x.name, y.name) })
	a.pictures = lastOfEach(a.pictures)
	a.labelled = len(labels) > 0
	for i, e := range a.pictures {
		a.pictures[i].class = labels[webKey(e.name)]
	}
	return a, nil
}

// sparse reports members whose bytes do not lie in one piece.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// lastOfEach keeps of equal names, which lie together, the last.
func lastOfEach(entries []entry) []entry {
	kept := entries[:0]
	for i, e := range entries {
		if i+1 == len(entries) || entries[i+1].name != e.name {
			kept = append(kept, e)
		}
	}
	return kept
}

// webKey is a member's WebDataset key.
func webKey(name string) string {
	dir, base := path.Split(name)
	key, _, _ := strings.Cut(base, ".")
	return dir + key
}

// webLabel reads the class from a label file: all of a .cls, or a .json
// object's string or number under cls, label or class.
func webLabel(ext string, text []byte) string {
	text = bytes.TrimSpace(text)
	if ext == ".cls" {
		return string(text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var fields map[string]any
	if d.Decode(&fields) != nil {
		return "" // of a shape that tells nothing
	}
	for _, key := range []string{"cls", "label", "class"} {
		switch v := fields[key].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
	}
	return ""
}
