package pth

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dino-vk/dino/safetensors"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What PyTorch 1.13 wrote (testdata/generate.py), in both formats.
func TestPyTorch(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth"} {
		t.Run(name, func(t *testing.T) {
			saved, err := open(testdata(t, name))
			if err != nil {
				t.Fatal(err)
			}
			root := saved.(*Dict)
			if lr, step, large := root.Get("lr"), root.Get("step"), root.Get("large"); lr != any(0.0008362196501476349) || step != any(-5) || large != any(1<<40) {
				t.Errorf("lr %v, step %v, large %v", lr, step, large)
			}
			if betas := root.Get("betas").(Tuple); !slices.Equal(betas, Tuple{0.9, 0.999}) {
				t.Errorf("betas %v", betas)
			}
			args := root.Get("args").(*Object)
			sizes := args.Attrs.Get("sizes").(*List)
			if args.Class != Namespace || args.Attrs.Get("output_dir") != any("/data/run") || args.Attrs.Get("none") != nil ||
				!args.Attrs.Has("none") || !slices.Equal(sizes.Items, []any{1, 300, 70000}) {
				t.Errorf("args %v", args.Attrs.Items)
			}
			state := root.Get("state").(*Dict)
			want := map[string]struct {
				dtype safetensors.Type
				shape []int
				bytes []byte
			}{
				"x":          {safetensors.F32, []int{2, 3}, floats(0, 1, 2, 3, 4, 5)},
				"transposed": {safetensors.F32, []int{3, 2}, floats(0, 3, 1, 4, 2, 5)},
				"column":     {safetensors.F32, []int{2, 1}, floats(1, 4)},
				"last":       {safetensors.F32, []int{3}, floats(3, 4, 5)},
				"parameter":  {safetensors.F32, []int{2}, floats(0.5, -1.5)},
				"half":       {safetensors.F16, []int{4}, []byte{0, 0x3c, 0, 0xb4, 0xff, 0x7b, 1, 0}},
				"bfloat":     {safetensors.BF16, []int{3}, []byte{0x80, 0x3f, 0x20, 0xc0, 0x62, 0x7f}},
				"double":     {safetensors.F64, []int{1}, []byte{0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f}},
				"long":       {safetensors.I64, []int{2}, []byte{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 1, 0, 0}},
				"flag":       {safetensors.Bool, []int{2}, []byte{1, 0}},
				"scalar":     {safetensors.F32, []int{}, floats(7)},
				"empty":      {safetensors.F32, []int{0, 3}, nil},
			}
			if len(state.Items) != len(want) {
				t.Errorf("%d tensors", len(state.Items))
			}
			for name, w := range want {
				x, ok := state.Get(name).(*Tensor)
				if !ok || x.Type != w.dtype || !slices.Equal(x.Shape, w.shape) || !bytes.Equal(bytesOf(t, x), w.bytes) {
					t.Errorf("%s is %v: % x", name, x, bytesOf(t, x))
				}
			}
		})
	}
}

func floats(values ...float32) []byte {
	var b bytes.Buffer
	e := safetensors.Values("", []int{len(values)}, values)
	if err := e.Data(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

func TestRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"evil.pth":      `"backbone.pos_embed": class "posix.system"`,
		"overlap.pth":   `"x": elements of a view of shape [1000] with strides [0] overlap`,
		"protocol4.pth": "pickle protocol 4",
	} {
		_, err := open(testdata(t, name))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", name, want, err)
		}
	}
	if _, err := os.Stat("/tmp/dino-vk-was-here"); err == nil {
		t.Error("the pickle ran a program")
	}
}

// zipOf is a file with the given pickle and one storage "0" of so many bytes.
func zipOf(t testing.TB, pickle string, storage int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string][]byte{"archive/data.pkl": []byte(pickle), "archive/data/0": make([]byte, storage)} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// viewOf is a pickle of {"w": tensor} with the given numbers, of storage "0" with
// n elements.
func viewOf(n, offset, shape, stride string) string {
	return "\x80\x02}(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n" +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + n + "tQ" + offset + "(" + shape + "t(" + stride + "t\x89ccollections\nOrderedDict\n)RtRu."
}

func TestHostile(t *testing.T) {
	number := func(i int32) string { return "J" + string([]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}) }
	huge := "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
	if _, err := open(zipOf(t, viewOf("K\x06", "K\x00", "K\x02K\x03", "K\x03K\x01"), 24)); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ pickle, want string }{
		"empty":            {"", "ends too early"},
		"string length":    {"\x80\x02X\xff\xff\xff\xff", "ends too early"},
		"bytes length":     {"\x80\x02B\xff\xff\xff\x7f", "instruction 0x42"},
		"bytes8 length":    {"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "instruction 0x8e"},
		"long4 length":     {"\x80\x02\x8b\xff\xff\xff\x7f", "instruction 0x8b"},
		"long1 length":     {"\x80\x02\x8a\xff" + strings.Repeat("x", 255), "whole number of 255 bytes"},
		"unknown opcode":   {"\xff", "instruction 0xff"},
		"stack underflow":  {"\x80\x02R.", "too few values"},
		"below the mark":   {"\x80\x02N(\x85.", "too few values"},
		"no mark":          {"\x80\x02t.", "mark is missing"},
		"nothing saved":    {"\x80\x02.", "too few values"},
		"odd items":        {"\x80\x02}(Nu.", "from 1 values"},
		"items of a list":  {"\x80\x02](NNu.", "setting items of a list"},
		"append to a dict": {"\x80\x02}Na.", "appending to a dict"},
		"unhashable key":   {"\x80\x02}]Ns.", "a key is a list"},
		"empty memo":       {"\x80\x02h\x05.", "memo 5 is empty"},
		"os.system":        {"\x80\x02}X\x01\x00\x00\x00wcos\nsystem\n(X\x02\x00\x00\x00lstRs.", `"w": class "os.system"`},
		"eval":             {"\x80\x02c__builtin__\neval\n.", `class "__builtin__.eval"`},
		"calls a dict":     {"\x80\x02})R.", "calling a dict"},
		"dict of a class":  {"\x80\x02ccollections\nOrderedDict\nN\x85R.", "collections.OrderedDict with arguments"},
		"long class name":  {"\x80\x02c" + strings.Repeat("a", 1000) + "\nb\n.", "without a name"},
		"long bytes":       {"\x80\x02c_codecs\nencode\nX\x28\x00\x00\x00" + strings.Repeat("a", 40) + "X\x06\x00\x00\x00latin1\x86R.", "no number"},
		"foreign storage":  {strings.Replace(viewOf("K\x06", "K\x00", "K\x06", "K\x01"), "X\x01\x00\x00\x000", "X\x01\x00\x00\x001", 1), `storage "1" is missing`},
		"storage too long": {viewOf("K\x07", "K\x00", "K\x06", "K\x01"), "24 bytes, its 7 elements of F32 need 28"},
		"storage negative": {viewOf(number(-1), "K\x00", "K\x06", "K\x01"), "a storage of"},
		"storage overflow": {viewOf(huge, "K\x00", "K\x06", "K\x01"), "a storage of"},
		"shape too large":  {viewOf("K\x06", "K\x00", "K\x07", "K\x01"), `"w": a view of shape [7] with strides [1] and offset 0 exceeds its storage of 6 elements`},
		"offset too large": {viewOf("K\x06", "K\x06", "K\x01", "K\x01"), "exceeds"},
		"offset overflow":  {viewOf("K\x06", huge, "K\x01", "K\x01"), "exceeds"},
		"negative offset":  {viewOf("K\x06", number(-1), "K\x01", "K\x01"), "offset -1"},
		"negative shape":   {viewOf("K\x06", "K\x00", number(-6), "K\x01"), "[-6]"},
		"negative stride":  {viewOf("K\x06", "K\x05", "K\x06", number(-1)), "[-1]"},
		"shape overflow":   {viewOf("K\x06", "K\x00", huge+huge, "K\x00K\x00"), "exceeds"},
		"stride overflow":  {viewOf("K\x06", "K\x00", "K\x03K\x03", huge+huge), "exceeds"},
		"stride too large": {viewOf("K\x06", "K\x00", "K\x02K\x03", "K\x04K\x01"), "exceeds"},
		"overlapping":      {viewOf("K\x06", "K\x00", "K\x03K\x03", "K\x01K\x01"), "overlap"},
		"expanded":         {viewOf("K\x06", "K\x00", number(1<<30), "K\x00"), "overlap"},
		"dimensions":       {viewOf("K\x06", "K\x00", "K\x06", "K\x01K\x01"), "strides [1 1]"},
		"65 dimensions":    {viewOf("K\x06", "K\x00", strings.Repeat("K\x01", 65), strings.Repeat("K\x01", 65)), "a tensor of"},
		"no number":        {viewOf("K\x06", "K\x00", "N", "K\x01"), "a tensor of"},
	}
	for name, c := range cases {
		_, err := open(zipOf(t, c.pickle, 24))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
	}
}

// Pickles that build as much as they can of few bytes take bounded memory.
func TestBounded(t *testing.T) {
	for name, unit := range map[string]string{"marks": "(", "dicts": "}", "tuples": ")", "lists": "]", "memo": "Nr....", "pairs": "N\x85\x85"} {
		body := "\x80\x02" + strings.Repeat(unit, (maxPickle-1024)/len(unit)) + "\xff"
		b := zipOf(t, body, 0)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := open(b); err == nil {
			t.Errorf("%s: no error", name)
		}
		runtime.ReadMemStats(&after)
		grown := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d MiB for %d", name, grown>>20, len(b)>>20)
		if grown > 200*maxPickle {
			t.Errorf("%s: %d bytes of memory for a pickle of %d", name, grown, len(body))
		}
	}
	var many bytes.Buffer
	z := zip.NewWriter(&many)
	for range maxDirectory / 46 { // bytes of an entry
		if _, err := z.Create(""); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(many.Bytes()); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a long directory: %v", err)
	}
	if _, err := open(zipOf(t, "\x80\x02"+strings.Repeat("N", maxPickle), 0)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a long pickle: %v", err)
	}
}

// Every cut of a file is noticed, at the latest when its tensors are read.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth"} {
		whole := testdata(t, name)
		for n := 0; n < len(whole); n += 1 + len(whole)/300 {
			root, err := open(whole[:n])
			if err == nil {
				err = readAll(root)
			}
			if err == nil {
				t.Errorf("%s: %d of %d bytes are enough", name, n, len(whole))
			}
		}
	}
}

// A flipped bit in a storage is noticed by the record's checksum.
func TestDamaged(t *testing.T) {
	values := []float32{1.5, 2.5, 3.5}
	e := safetensors.Values("w", []int{3}, values)
	d := &Dict{}
	set(t, d, "w", &e)
	b := encoded(t, d)
	at := bytes.Index(b, floats(values...))
	b[at] ^= 1
	root, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := readAll(root); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("got %v", err)
	}
}

// readAll reads the tensors of dicts within dicts, each once.
func readAll(v any) error {
	seen := map[any]bool{}
	var walk func(v any) error
	walk = func(v any) error {
		switch v := v.(type) {
		case *Tensor:
			if seen[v] {
				return nil
			}
			seen[v] = true
			r, err := v.Open()
			if err != nil {
				return err
			}
			defer r.Close()
			n, err := io.Copy(io.Discard, r)
			if err == nil && n != int64(v.Len()*v.Type.Size()) {
				err = io.ErrUnexpectedEOF
			}
			return err
		case *Dict:
			if seen[v] {
				return nil
			}
			seen[v] = true
			for _, item := range v.Items {
				if err := walk(item.Value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk(v)
}

func FuzzFile(f *testing.F) {
	for _, name := range []string{"zip.pth", "legacy.pth", "evil.pth", "overlap.pth", "protocol4.pth"} {
		f.Add(testdata(f, name))
	}
	root, _ := example(f)
	f.Add(encoded(f, root))
	f.Fuzz(func(t *testing.T, b []byte) {
		if root, err := open(b); err == nil {
			_ = readAll(root) // may be damaged, but must return
		}
	})
}

// FuzzPickle reaches the machine without a zip's checksums in the way.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(viewOf("K\x06", "K\x00", "K\x02K\x03", "K\x03K\x01")))
	f.Add([]byte(viewOf("K\x06", "K\x01", "K\x01K\x05", "K\x05K\x01")))
	f.Add([]byte("\x80\x02cargparse\nNamespace\n)\x81}X\x01\x00\x00\x00a]q\x00(K\x01\x88h\x00esb."))
	f.Add([]byte("\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R(K\x03U\x01<NNNtbc_codecs\nencode\nX\x08\x00\x00\x00abcdefghX\x06\x00\x00\x00latin1\x86R\x86R."))
	f.Fuzz(func(t *testing.T, b []byte) {
		u := unpickler{b: b, storage: func(id Tuple) (*storage, error) {
			s, _, err := storageOf(id)
			if err != nil {
				return nil, err
			}
			s.elements = min(s.elements, 64)
			s.open = func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(make([]byte, s.elements*s.dtype.Size()))), nil
			}
			return s, nil
		}}
		v, _, err := u.load()
		if err != nil {
			return
		}
		if err := readAll(v); err != nil {
			t.Fatalf("a tensor that was accepted can't be read: %v", err)
		}
	})
}
