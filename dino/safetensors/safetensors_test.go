package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func encode(t testing.TB, metadata map[string]string, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, metadata, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte) (*File, error) { return NewFile(bytes.NewReader(b), int64(len(b))) }

func TestRoundTrip(t *testing.T) {
	floats := make([]float32, 3*11000) // more than one piece
	for i := range floats {
		floats[i] = float32(i) / 7
	}
	floats[5] = float32(math.NaN())
	meta := map[string]string{"b": "2 \"quoted\"", "a": "1"}
	entries := []Entry{
		Values("bytes", []int{3}, []uint8{1, 2, 3}),
		Values("floats", []int{3, 11000}, floats),
		Values("scalar", nil, []float64{math.Pi}),
		Values("empty", []int{0, 4}, []int64{}),
		Values("é<", []int{2}, []int64{-1, 1 << 40}),
	}
	b := encode(t, meta, entries...)
	if again := encode(t, meta, entries...); !bytes.Equal(b, again) {
		t.Fatal("equal tensors gave different files")
	}
	f, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors) != len(entries) || f.Metadata["a"] != "1" || f.Metadata["b"] != meta["b"] {
		t.Fatalf("read %v %v", f.Metadata, f.Tensors)
	}
	for _, x := range f.Tensors {
		if x.begin%int64(x.Type.Size()) != 0 {
			t.Errorf("tensor %q is not aligned: byte %d", x.Name, x.begin)
		}
	}
	got := make([]float32, len(floats))
	if err := Read(f, "floats", got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(floats[i]) {
			t.Fatalf("floats[%d] = %v, wrote %v", i, got[i], floats[i])
		}
	}
	scalar, ints := []float64{0}, []int64{0, 0}
	if err := errors.Join(Read(f, "scalar", scalar), Read(f, "é<", ints)); err != nil || scalar[0] != math.Pi || ints[1] != 1<<40 {
		t.Fatal(scalar, ints, err)
	}
	r, err := f.Reader("bytes")
	if err != nil {
		t.Fatal(err)
	}
	if raw, _ := io.ReadAll(r); !bytes.Equal(raw, []byte{1, 2, 3}) {
		t.Fatal(raw)
	}
}

func TestReadMismatch(t *testing.T) {
	f, err := open(encode(t, nil, Values("w", []int{2, 3}, make([]float32, 6))))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		Read(f, "w", make([]float32, 5)), Read(f, "w", make([]float64, 6)), Read(f, "v", make([]float32, 6)),
	} {
		if err == nil || !(strings.Contains(err.Error(), `"w" is F32 [2 3]`) || strings.Contains(err.Error(), `no tensor "v"`)) {
			t.Errorf("unclear: %v", err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	data := func(n int) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	failed := errors.New("device lost")
	cases := map[string][]Entry{
		"twice":       {{"a", F32, []int{1}, data(4)}, {"a", F32, []int{1}, data(4)}},
		"reserved":    {{metadataKey, F32, []int{1}, data(4)}},
		"not UTF-8":   {{"\xff", F32, []int{1}, data(4)}},
		"unknown":     {{"a", "F8", []int{1}, data(1)}},
		"negative":    {{"a", F32, []int{-1}, data(0)}},
		"overflows":   {{"a", F32, []int{1 << 40, 1 << 40}, data(0)}},
		"missing":     {{"a", F32, []int{2}, data(4)}},
		"more bytes":  {{"a", F32, []int{2}, data(12)}},
		"device lost": {{"a", F32, []int{2}, func(io.Writer) error { return failed }}},
	}
	for want, entries := range cases {
		err := Write(io.Discard, nil, entries)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// file builds raw bytes with the given header text and data length.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestHostile(t *testing.T) {
	good := `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	if _, err := open(file(good, 8)); err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{
		"empty":              {},
		"short length":       {1, 0, 0},
		"huge header":        {255, 255, 255, 255, 255, 255, 255, 127, '{', '}'},
		"header over end":    binary.LittleEndian.AppendUint64(nil, 100),
		"no object":          file(`[]`, 0),
		"cut JSON":           file(good[:20], 8),
		"text after":         file(good+"x", 8),
		"cut data":           file(good, 7),
		"trailing data":      file(good, 9),
		"negative shape":     file(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8),
		"shape mismatch":     file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8),
		"overflowing shape":  file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0),
		"unknown type":       file(`{"a":{"dtype":"X","shape":[2],"data_offsets":[0,8]}}`, 8),
		"offsets backwards":  file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8),
		"three offsets":      file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, 8),
		"offset overflow":    file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[9223372036854775807,9223372036854775807]}}`, 8),
		"overlap":            file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12),
		"gap":                file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"name twice":         file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"metadata twice":     file(`{"__metadata__":{},"__metadata__":{}}`, 0),
		"metadata no string": file(`{"__metadata__":{"a":1}}`, 0),
	}
	for name, b := range cases {
		if _, err := open(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(encode(f, map[string]string{"k": "v"}, Values("a", []int{2}, []float32{1, 2}), Values("b", nil, []int64{3})))
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{}`, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		f, err := open(b)
		if err != nil {
			return
		}
		// An accepted file can be read whole, and written again it reads equal.
		var entries []Entry
		for _, x := range f.Tensors {
			r, err := f.Reader(x.Name)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(r)
			if err != nil || int64(len(raw)) != x.Bytes() {
				t.Fatalf("%q: %d bytes, %v", x.Name, len(raw), err)
			}
			entries = append(entries, Entry{x.Name, x.Type, x.Shape, func(w io.Writer) error { _, err := w.Write(raw); return err }})
		}
		again, err := open(encode(t, f.Metadata, entries...))
		if err != nil || len(again.Tensors) != len(f.Tensors) {
			t.Fatal(err)
		}
		for _, x := range f.Tensors {
			if y, _ := again.Tensor(x.Name); y.Type != x.Type || !slices.Equal(y.Shape, x.Shape) {
				t.Fatalf("%v became %v", x, y)
			}
		}
	})
}
