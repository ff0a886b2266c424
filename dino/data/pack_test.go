package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packOf packs a set.
func packOf(t testing.TB, set *Set) (pack []byte, skipped []error) {
	t.Helper()
	var b bytes.Buffer
	last := 0
	err := WritePack(context.Background(), &b, set, 3, func(done int, more []error) {
		if done <= last || done > set.Len() {
			t.Errorf("%d of %d after %d", done, set.Len(), last)
		}
		last = done
		skipped = append(skipped, more...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != set.Len() {
		t.Errorf("told of %d of %d pictures", last, set.Len())
	}
	return b.Bytes(), skipped
}

// openPacked writes a pack to a file and opens it.
func openPacked(t testing.TB, pack []byte, o Options) (*Set, error) {
	t.Helper()
	s, err := Open(context.Background(), filepath.Join(write(t, map[string][]byte{"pack": pack}), "pack"), o)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// TestPack: a pack gives what its source gives, pictures that fail among them.
func TestPack(t *testing.T) {
	turned, err := os.ReadFile("testdata/orientation6.jpg")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"train/cat/cut.jpg": encodeJPEG(t, noise(40, 30))[:700], "train/cat/turned.jpg": turned, "train/cat/b.png": encodePNG(t, gradient(6, 4)),
		"train/dog/large.jpg": encodeJPEG(t, noise(80, 50)), "train/dog/empty.png": nil, "train/\xff.png": encodePNG(t, gradient(1, 1)),
	}
	for i := range 40 { // some batches
		files["train/many/"+string(rune('A'+i))+".png"] = encodePNG(t, noise(1+i%5, 3))
	}
	for name, source := range map[string]*Set{
		"folder": openWith(t, write(t, files), Options{Area: 1000, JPEG: JPEGGo}),
		"CIFAR":  openWith(t, filepath.Join(write(t, map[string][]byte{"train.bin": cifarOf(2, 99, 3)}), "train.bin"), Options{}),
		"IDX":    openWith(t, filepath.Join(write(t, map[string][]byte{"i": idxOf(2, 3, 4)}), "i"), Options{Area: 6}),
		"shapes": openWith(t, "shapes:n=5:size=8", Options{}),
		"fake":   {Source: &fake{n: 5, bad: map[int]bool{2: true, 4: true}}, Area: 1, Origin: "fa\xffke"},
	} {
		t.Run(name, func(t *testing.T) {
			pack, skipped := packOf(t, source)
			if again, _ := packOf(t, source); !bytes.Equal(pack, again) {
				t.Error("packed twice, the files differ")
			}
			got, err := openPacked(t, pack, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if describe(got) != describe(source) || !slices.Equal(got.Classes(), source.Classes()) || got.Area != source.Area ||
				got.JPEG != source.JPEG || got.Origin != source.Origin || got.Origin == "" {
				t.Errorf("packed %s, %v, area %d, JPEG %q, of %q\nsource %s, %v, area %d, JPEG %q, of %q", describe(got), got.Classes(), got.Area,
					got.JPEG, got.Origin, describe(source), source.Classes(), source.Area, source.JPEG, source.Origin)
			}
			failed := 0
			for i := range source.Len() {
				want, wantErr := source.Decode(t.Context(), i)
				img, err := got.Decode(t.Context(), i)
				if img.W != want.W || img.H != want.H || !bytes.Equal(img.Pix, want.Pix) || (err == nil) != (wantErr == nil) {
					t.Errorf("%s: %d x %d, %v; want %d x %d, %v", source.Name(i), img.W, img.H, err, want.W, want.H, wantErr)
				}
				h, headerErr := got.Header(t.Context(), i)
				if err == nil && (h != Header{"packed RGB", want.W, want.H} || headerErr != nil) {
					t.Errorf("%s: header %v, %v", source.Name(i), h, headerErr)
				}
				if err == nil {
					continue
				}
				if failed++; !strings.HasPrefix(err.Error(), source.Name(i)+": ") || headerErr == nil {
					t.Errorf("%v, header %v", err, headerErr)
				}
				if !slices.ContainsFunc(skipped, func(s error) bool { return s.Error() == wantErr.Error() }) {
					t.Errorf("packing did not tell of %v: %v", wantErr, skipped)
				}
			}
			if failed != len(skipped) {
				t.Errorf("%d fail, packing told of %v", failed, skipped)
			}
		})
	}
}

func openWith(t *testing.T, path string, o Options) *Set {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestPackTwice: a pack can be packed, and shrinks what is too large.
func TestPackTwice(t *testing.T) {
	source := openWith(t, write(t, map[string][]byte{"a.png": encodePNG(t, gradient(20, 10))}), Options{})
	pack, _ := packOf(t, source)
	got, err := openPacked(t, pack, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := packOf(t, got); !bytes.Equal(again, pack) {
		t.Error("the pack of a pack differs")
	}
	small, err := openPacked(t, pack, Options{Area: 50})
	if err != nil {
		t.Fatal(err)
	}
	if img, err := small.Decode(t.Context(), 0); err != nil || img.W != 10 || img.H != 5 || small.Area != 50 {
		t.Errorf("%d x %d, area %d, %v", img.W, img.H, small.Area, err)
	}
}

// TestRefusedPacks: what is not as it was written, or not meant, is told.
func TestRefusedPacks(t *testing.T) {
	source := openWith(t, write(t, map[string][]byte{"a/1.jpg": encodeJPEG(t, noise(5, 4)), "b/2.png": encodePNG(t, noise(3, 3))}), Options{JPEG: JPEGGo})
	pack, _ := packOf(t, source)
	index := 8 + int(binary.LittleEndian.Uint64(pack)) // where the tensors begin
	changed := func(at int) []byte {
		b := bytes.Clone(pack)
		b[at] ^= 1
		return b
	}
	other := []byte(`{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`)
	other = append(binary.LittleEndian.AppendUint64(nil, uint64(len(other))), other...)
	for name, c := range map[string]struct {
		pack []byte
		o    Options
		want []string
	}{
		"cut":             {pack[:len(pack)-1], Options{}, []string{"damaged", "cut short"}},
		"cut header":      {pack[:20], Options{}, []string{"damaged"}},
		"longer":          {append(bytes.Clone(pack), 0), Options{}, []string{"damaged"}},
		"offset":          {changed(index + 8), Options{}, []string{"damaged", "index's checksum"}},
		"label":           {changed(index + 3*8), Options{}, []string{"damaged", "index's checksum"}},
		"name":            {bytes.Replace(pack, []byte("b/2.png"), []byte("b/3.png"), 1), Options{}, []string{"damaged", "index's checksum"}},
		"origin":          {bytes.Replace(pack, []byte(source.Origin), bytes.Repeat([]byte("x"), len(source.Origin)), 1), Options{}, []string{"damaged", "index's checksum"}},
		"decoder":         {bytes.Replace(pack, []byte(`"jpeg":"go"`), []byte(`"jpeg":"gg"`), 1), Options{}, []string{"damaged", "index's checksum"}},
		"tensor":          {bytes.Replace(pack, []byte(`"labels":`), []byte(`"lapels":`), 1), Options{}, []string{"damaged", "no labels"}},
		"type":            {bytes.Replace(pack, []byte(`"dtype":"I32"`), []byte(`"dtype":"F32"`), 1), Options{}, []string{"damaged", "labels"}},
		"another's":       {other, Options{}, []string{"no packed pictures", "data pack"}},
		"another decoder": {pack, Options{JPEG: JPEGTurbo}, []string{"decoded by go, not turbo"}},
		"large":           {pack, Options{MaxPixels: 19}, []string{"a/1.jpg has 20 pixels", "limit of 19"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openPacked(t, c.pack, c.o)
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range append(c.want, "pack: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %q", want, err)
				}
			}
		})
	}

	s, err := openPacked(t, changed(len(pack)-1), Options{}) // a pixel of the last picture
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Decode(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if _, err := s.Decode(t.Context(), 1); !errors.Is(err, errDamagedPack) || !strings.HasPrefix(err.Error(), "b/2.png: ") {
		t.Errorf("a changed pixel gives %v", err)
	}
	file := filepath.Join(write(t, map[string][]byte{"pack": pack}), "pack")
	if _, err := Open(t.Context(), file+":test", Options{}); err == nil || !strings.Contains(err.Error(), "no part test") {
		t.Errorf("a part of a pack: %v", err)
	}
	zipped := filepath.Join(write(t, map[string][]byte{"pack.gz": gzipOf(t, pack)}), "pack.gz")
	if got := describe(openWith(t, zipped, Options{})); got != describe(source) {
		t.Errorf("gzipped: %s", got)
	}
}

// TestPackStops: packing ends with the context, and when writing fails.
func TestPackStops(t *testing.T) {
	full := errors.New("disk full")
	set := &Set{Source: &fake{n: 100}, Area: 1}
	err := WritePack(t.Context(), readOnly{full}, set, 2, func(int, []error) {})
	if !errors.Is(err, full) {
		t.Errorf("writing fails with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = WritePack(ctx, &bytes.Buffer{}, set, 2, func(int, []error) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, it ends with %v", err)
	}
	if err := WritePack(t.Context(), &bytes.Buffer{}, &Set{Source: zeroNamed{&fake{n: 2}}}, 1, nil); err == nil || !strings.Contains(err.Error(), "zero byte") {
		t.Errorf("a name with a zero byte gives %v", err)
	}
}

type readOnly struct{ err error }

func (r readOnly) Write([]byte) (int, error) { return 0, r.err }

type zeroNamed struct{ *fake }

func (zeroNamed) Name(int) string { return "a\x00b" }

// FuzzPack: no file panics, and what is opened keeps its promises.
func FuzzPack(f *testing.F) {
	set := &Set{Source: &fake{n: 3, bad: map[int]bool{1: true}}, Area: 1}
	pack, _ := packOf(f, set)
	f.Add(pack)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "pack")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := openBlob(t.Context(), path)
		if err != nil {
			return
		}
		s, err := openPack(file, path, Options{MaxPixels: 1 << 20}.withDefaults())
		if err != nil {
			return
		}
		defer s.Close()
		for i := range s.Len() {
			img, err := s.Decode(t.Context(), i)
			if err == nil && (len(img.Pix) != 3*img.W*img.H || img.W*img.H > s.Area || s.Label(i) >= len(s.Classes())) {
				t.Fatalf("%d x %d with %d bytes", img.W, img.H, len(img.Pix))
			}
		}
	})
}
