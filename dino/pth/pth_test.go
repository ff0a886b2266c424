package pth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/safetensors"
)

// fill makes a tree of every kind of value with tensors of every type that has
// a Go type.
func example(t testing.TB) (root *Dict, entries map[string]*safetensors.Entry) {
	t.Helper()
	entries = map[string]*safetensors.Entry{}
	state := &Dict{Ordered: true}
	add := func(e safetensors.Entry) {
		entries[e.Name] = &e
		set(t, state, e.Name, &e)
	}
	floats := make([]float32, 3*11000)
	for i := range floats {
		floats[i] = float32(i) / 7
	}
	add(safetensors.Values("floats", []int{3, 11000}, floats))
	add(safetensors.Values("doubles", []int{2, 1, 2}, []float64{1, -2, math.Pi, math.Inf(1)}))
	add(safetensors.Values("longs", []int{2}, []int64{-1, 1 << 40}))
	add(safetensors.Values("scalar", nil, []float32{10}))
	add(safetensors.Values("empty", []int{0, 4}, []float32{}))
	set(t, state, "shared", entries["floats"])
	root = &Dict{}
	set(t, root, "student", state)
	set(t, root, "epoch", 2)
	args := &Object{Class: Namespace}
	for key, v := range map[string]any{
		"arch": "vit_small", "lr": 5e-4, "norm_last_layer": true, "none": nil, "negative": -3, "large": -1 << 40,
		"scale": Tuple{0.4, 1.0}, "list": &List{[]any{1, "é"}},
	} {
		set(t, &args.Attrs, key, v)
	}
	set(t, root, "args", args)
	return root, entries
}

func set(t testing.TB, d *Dict, key, v any) {
	t.Helper()
	if err := d.Set(key, v); err != nil {
		t.Fatal(err)
	}
}

func encoded(t testing.TB, root any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte) (any, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func bytesOf(t testing.TB, x *Tensor) []byte {
	t.Helper()
	r, err := x.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	root, entries := example(t)
	b := encoded(t, root)
	saved, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	got := saved.(*Dict)
	state := got.Get("student").(*Dict)
	if !state.Ordered || len(state.Items) != 6 || got.Get("epoch") != any(2) {
		t.Fatalf("read %+v", got)
	}
	for _, item := range state.Items {
		name := item.Key.(string)
		x := item.Value.(*Tensor)
		if name == "shared" {
			name = "floats"
		}
		e := entries[name]
		var want bytes.Buffer
		if err := e.Data(&want); err != nil {
			t.Fatal(err)
		}
		if x.Type != e.Type || len(x.Shape) != len(e.Shape) || !slices.Equal(x.Shape, append([]int{}, e.Shape...)) || !bytes.Equal(bytesOf(t, x), want.Bytes()) {
			t.Errorf("%s is %s %v", item.Key, x.Type, x.Shape)
		}
	}
	wrote, read := root.Get("args").(*Object), got.Get("args").(*Object)
	if read.Class != Namespace || !reflect.DeepEqual(wrote.Attrs.Items, read.Attrs.Items) {
		t.Errorf("wrote %v, read %v", wrote.Attrs.Items, read.Attrs.Items)
	}
	if n := strings.Count(string(b), "archive/data/"); n != 2*len(entries) { // local header and directory
		t.Errorf("%d storages' headers for %d storages", n, len(entries))
	}
}

// Records begin at multiples of 64 bytes.
func TestAlignment(t *testing.T) {
	values := []float32{1.5, -2.25, 3.75}
	var want []byte
	for _, v := range values {
		want = binary.LittleEndian.AppendUint32(want, math.Float32bits(v))
	}
	d := &Dict{}
	for _, name := range []string{"a", "bb", "ccc"} {
		e := safetensors.Values(name, []int{3}, values)
		set(t, d, name, &e)
	}
	b := encoded(t, d)
	found := 0
	for at := 0; at+len(want) <= len(b); at++ {
		if bytes.Equal(b[at:at+len(want)], want) {
			found++
			if at%recordAlign != 0 {
				t.Errorf("a record begins at byte %d", at)
			}
		}
	}
	if found != 3 {
		t.Errorf("%d records of 3", found)
	}
}

func TestWriteRefuses(t *testing.T) {
	short := &safetensors.Entry{Name: "short", Type: safetensors.F32, Shape: []int{2}, Data: func(w io.Writer) error { _, err := w.Write(make([]byte, 4)); return err }}
	failed := errors.New("device lost")
	lost := &safetensors.Entry{Name: "lost", Type: safetensors.F32, Shape: []int{2}, Data: func(io.Writer) error { return failed }}
	for want, v := range map[string]any{
		`"short": 4 bytes instead of 8`: short,
		"device lost":                   lost,
		"no storage of U32":             &safetensors.Entry{Type: safetensors.U32},
		"struct {} can't be written":    struct{}{},
	} {
		if err := Write(io.Discard, v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := Write(failing{failed}, &Dict{}); !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := (&Dict{}).Set(1.5, nil); err == nil {
		t.Error("a float became a key")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
