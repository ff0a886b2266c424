package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// Element lists the Go types whose slices can be written and read directly.
type Element interface {
	float32 | float64 | int64 | int32 | uint32 | uint8
}

// Entry is one tensor to write.
type Entry struct {
	Name  string
	Type  Type
	Shape []int
	// Data writes exactly the tensor's bytes, little-endian, row-major. It is
	// called once, when the entry's turn comes, so the bytes may be fetched then.
	Data func(w io.Writer) error
}

// Values makes an entry from a slice.
func Values[T Element](name string, shape []int, values []T) Entry {
	return Entry{Name: name, Type: typeOf[T](), Shape: shape, Data: func(w io.Writer) error {
		// binary.Write copies its argument: bounded pieces keep the copy small.
		for piece := range slices.Chunk(values, 1<<14) {
			if err := binary.Write(w, binary.LittleEndian, piece); err != nil {
				return err
			}
		}
		return nil
	}}
}

func typeOf[T Element]() Type {
	switch any(*new(T)).(type) {
	case float32:
		return F32
	case float64:
		return F64
	case int64:
		return I64
	case int32:
		return I32
	case uint32:
		return U32
	}
	return U8
}

// Write writes a file of the given tensors, larger element types first and
// otherwise in the given order, so that every tensor is aligned.
func Write(w io.Writer, metadata map[string]string, entries []Entry) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.Type.Size() - a.Type.Size() })
	header, err := header(metadata, entries)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	b := bufio.NewWriterSize(w, 1<<16)
	if err := binary.Write(b, binary.LittleEndian, uint64(len(header))); err != nil {
		return fmt.Errorf("safetensors: header: %w", err)
	}
	if _, err := b.Write(header); err != nil {
		return fmt.Errorf("safetensors: header: %w", err)
	}
	for _, e := range entries {
		size, _ := byteSize(e.Type, e.Shape) // checked by header
		exact := &exactWriter{w: b, left: size}
		if err := e.Data(exact); err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", e.Name, err)
		}
		if exact.left != 0 {
			return fmt.Errorf("safetensors: tensor %q: %d of %d bytes are missing", e.Name, exact.left, size)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

type headerEntry struct {
	Type    Type    `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// header encodes the JSON header, padded with blanks to a multiple of 8 bytes
// so that the first tensor is aligned.
func header(metadata map[string]string, entries []Entry) ([]byte, error) {
	var buf []byte
	add := func(name string, v any) error {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return err
		}
		sep := byte(',')
		if len(buf) == 0 {
			sep = '{'
		}
		buf = append(append(append(append(buf, sep), key...), ':'), value...)
		return nil
	}
	if len(metadata) > 0 {
		if err := add(metadataKey, metadata); err != nil { // a map is written in key order
			return nil, err
		}
	}
	seen := map[string]bool{metadataKey: true}
	end := int64(0)
	for _, e := range entries {
		if seen[e.Name] || !utf8.ValidString(e.Name) {
			return nil, fmt.Errorf("tensor name %q is used twice, reserved or not UTF-8", e.Name)
		}
		seen[e.Name] = true
		size, err := byteSize(e.Type, e.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		shape := e.Shape
		if shape == nil {
			shape = []int{}
		}
		if err := add(e.Name, headerEntry{e.Type, shape, []int64{end, end + size}}); err != nil {
			return nil, err
		}
		end += size
	}
	if len(buf) == 0 {
		buf = append(buf, '{')
	}
	buf = append(buf, '}')
	for len(buf)%8 != 0 {
		buf = append(buf, ' ')
	}
	if len(buf) > maxHeader {
		return nil, fmt.Errorf("header of %d bytes exceeds %d", len(buf), maxHeader)
	}
	return buf, nil
}

// exactWriter refuses to write more than left bytes.
type exactWriter struct {
	w    io.Writer
	left int64
}

var errTooLong = errors.New("more bytes than its shape holds")

func (e *exactWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		return 0, errTooLong
	}
	n, err := e.w.Write(p)
	e.left -= int64(n)
	return n, err
}
