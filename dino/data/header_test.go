package data

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Header tells sizes as the files have them, whatever Decode makes of them.
func TestHeader(t *testing.T) {
	png, jpeg := encodePNG(t, gradient(40, 30)), encodeJPEG(t, gradient(7, 9))
	turned, err := os.ReadFile("testdata/orientation6.jpg")
	if err != nil {
		t.Fatal(err)
	}
	root := write(t, map[string][]byte{
		"p/a.png": png, "p/b.jpg": jpeg, "p/turned.jpg": turned,
		"cifar/data_batch_1.bin": cifarOf(1, 3, 4), "train-images": idxOf(2, 5, 6),
	})
	for _, c := range []struct {
		path string
		want []Header
	}{
		{"p", []Header{{"png", 40, 30}, {"jpeg", 7, 9}, {"jpeg", 7, 5}}},
		{"cifar", []Header{{"raw RGB", 32, 32}, {"raw RGB", 32, 32}}},
		{"train-images", []Header{{"raw gray", 6, 5}, {"raw gray", 6, 5}}},
	} {
		s, err := Open(t.Context(), filepath.Join(root, c.path), Options{Area: 100})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var got []Header
		for i := range s.Len() {
			h, err := s.Header(t.Context(), i)
			if err != nil {
				t.Error(err)
			}
			got = append(got, h)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.path, got, c.want)
		}
	}

	// A Source that tells nothing is decoded.
	of := Set{Source: &fake{n: 2}}
	img, err := of.Decode(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := of.Header(t.Context(), 1); err != nil || h != (Header{"", img.W, img.H}) {
		t.Errorf("%v of %d x %d, error %v", h, img.W, img.H, err)
	}

	s := mustOpen(t, filepath.Join(root, "p"))
	if err := os.Remove(filepath.Join(root, "p", "b.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Header(t.Context(), 1); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "b.jpg") {
		t.Errorf("a removed file gives %v", err)
	}
}

func TestOpenFiles(t *testing.T) {
	root := write(t, map[string][]byte{"x/b.png": encodePNG(t, gradient(4, 3)), "a.png": encodePNG(t, gradient(5, 6)), "text.png": []byte("text")})
	a, b, text, none := filepath.Join(root, "a.png"), filepath.Join(root, "x", "b.png"), filepath.Join(root, "text.png"), filepath.Join(root, "none")
	s, err := OpenFiles(t.Context(), []string{b, text, a, none, root, b}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var names []string
	for i := range s.Len() {
		names = append(names, s.Name(i))
		if s.Label(i) != -1 {
			t.Errorf("%s has label %d", s.Name(i), s.Label(i))
		}
	}
	if want := []string{b, a, b}; !slices.Equal(names, want) || s.Area != 30 {
		t.Errorf("pictures %q, area %d; want %q", names, s.Area, want)
	}
	checkSkipped(t, s, map[string]string{text: "unknown format", none: "no such file", root: ""})
	if _, err := OpenFiles(t.Context(), []string{none}, Options{}); !errors.Is(err, ErrNoImages) {
		t.Errorf("no readable file gives %v", err)
	}
}
