package turbojpeg

import (
	"errors"
	"strings"
	"testing"
)

func TestNoLibrary(t *testing.T) {
	_, err := open([]string{"libturbojpeg-that-is-not-there.so"})
	if !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "apt install libturbojpeg0") {
		t.Errorf("open = %v, want ErrNoLibrary with the remedy", err)
	}
	if _, err := open([]string{"libc.so.6"}); err != nil && !errors.Is(err, ErrNoLibrary) {
		t.Errorf("a library of something else gives %v", err)
	}
}

// Sizes that do not fit are refused before the library writes.
func TestSizes(t *testing.T) {
	if err := Load(); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		file    []byte
		w, h, n int
	}{
		{nil, 1, 1, 3}, {[]byte{0xff}, 0, 1, 0}, {[]byte{0xff}, 2, 2, 11}, {[]byte("not a JPEG"), 2, 2, 12},
	} {
		if err := Decode(c.file, c.w, c.h, make([]uint8, c.n)); err == nil || errors.Is(err, ErrDoubtful) {
			t.Errorf("%d bytes, %d x %d into %d: %v", len(c.file), c.w, c.h, c.n, err)
		}
	}
}
