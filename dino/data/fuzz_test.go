package data

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzDecode: no file panics, and what decodes has the promised size.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, decoder := range []string{JPEGGo, JPEGAuto} {
			img, err := decodeBytes(file, Options{Area: 100, MaxPixels: 1 << 16, JPEG: decoder})
			if err == nil && (len(img.Pix) != 3*img.W*img.H || img.W*img.H > 100 || img.W < 1 || img.H < 1) {
				t.Fatalf("%s: %d x %d with %d bytes", decoder, img.W, img.H, len(img.Pix))
			}
		}
	})
}

// FuzzOrientation: metadata, however damaged, gives an orientation.
func FuzzOrientation(f *testing.F) {
	for _, name := range []string{"orientation6.jpg", "orientation6.png", "orientation6.tif", "orientation6.webp"} {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, format := range []string{"jpeg", "png", "tiff", "webp", "gif"} {
			if o := orientation(file, format); o < 1 || o > 8 {
				t.Fatalf("%s: orientation %d", format, o)
			}
		}
	})
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, "k/1.png", "x", "k/1.cls", "3", "k/2.jpg", "y", "k/2.json", `{"cls":"a"}`))
	f.Add(tarOf(f, strings.Repeat("d/", 80)+"1.png", "x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := indexTar(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, e := range a.pictures {
			if e.off < 0 || e.size < 0 || e.off+e.size > int64(len(b)) {
				t.Fatalf("%q at %d+%d of %d bytes", e.name, e.off, e.size, len(b))
			}
		}
	})
}

func FuzzIDX(f *testing.F) {
	f.Add(idxOf(3, 2, 2))
	f.Add(idxOf(1, 1, 2, 3))
	f.Add(idxOf(4))
	f.Fuzz(func(t *testing.T, b []byte) {
		dims, off, err := idxHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		n := int64(1)
		for _, d := range dims {
			n *= int64(d)
		}
		if off+n != int64(len(b)) {
			t.Fatalf("%v in %d bytes", dims, len(b))
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarOf(1, 3, 4))
	f.Add(cifarOf(2, 99))
	f.Fuzz(func(t *testing.T, b []byte) {
		f := entry{name: "f", tar: bytes.NewReader(b), size: int64(len(b))}
		s, err := openCIFAR("f", []entry{f}, nil, nil, Options{}.withDefaults())
		if err != nil {
			return
		}
		for i := range s.Len() {
			if _, err := s.Decode(context.Background(), i); err != nil || s.Label(i) >= len(s.Classes()) {
				t.Fatal(s.Label(i), err)
			}
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add([]byte("a.png\nb.jpg 3\n# c\nd\te\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := readList(bytes.NewReader(b), "/dir")
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.name == "" || e.path == "" {
				t.Fatalf("%+v", e)
			}
		}
	})
}
