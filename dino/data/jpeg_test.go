package data

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dino-vk/dino/data/turbojpeg"
)

// needTurbo skips the test where libjpeg-turbo is not installed; where all must
// hold, as in CI, it fails.
func needTurbo(t testing.TB) {
	t.Helper()
	if err := turbojpeg.Load(); err != nil && os.Getenv("DINOVK_REQUIRE_GPU") == "1" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
}

// noise is a picture of which no JPEG compresses much.
func noise(w, h int) image.Image {
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32()) | uint8(i%4/3*255)
	}
	return m
}

// TestJPEGDecoders: where both decode the same samples they differ by rounding
// alone, shrunk or not.
func TestJPEGDecoders(t *testing.T) {
	needTurbo(t)
	m := image.NewGray(image.Rect(0, 0, 61, 43))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * i)
	}
	file := encodeJPEG(t, m)
	for _, area := range []int{61 * 43, 400} {
		a, err := decodeBytes(file, Options{Area: area, JPEG: JPEGGo})
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeBytes(file, Options{Area: area, JPEG: JPEGTurbo})
		if err != nil {
			t.Fatal(err)
		}
		if a.W != b.W || a.H != b.H || a.W*a.H > area || bytes.Equal(a.Pix, make([]byte, len(a.Pix))) {
			t.Fatalf("%d x %d, %d x %d", a.W, a.H, b.W, b.H)
		}
		for i := range a.Pix {
			if d := int(a.Pix[i]) - int(b.Pix[i]); d < -1 || d > 1 {
				t.Fatalf("area %d: byte %d is %d and %d", area, i, a.Pix[i], b.Pix[i])
			}
		}
	}
}

// TestDamagedJPEG: files that are cut short fail by either decoder with the
// same words, and what image/jpeg takes libjpeg-turbo takes. The reverse does
// not hold: some damage makes no sense to image/jpeg and a wrong picture, as in
// Pillow, to libjpeg-turbo.
func TestDamagedJPEG(t *testing.T) {
	needTurbo(t)
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	read, failed, unnoticed := 0, 0, 0
	try := func(what string, file []byte, cut bool) {
		_, want := decodeBytes(file, Options{MaxPixels: 1 << 16, JPEG: JPEGGo})
		_, err := decodeBytes(file, Options{MaxPixels: 1 << 16, JPEG: JPEGTurbo})
		switch {
		case want == nil && err == nil && !cut:
			read++
		case want != nil && err != nil && want.Error() == err.Error():
			failed++
		case want != nil && err == nil && !cut:
			unnoticed++
		default:
			t.Errorf("%s: by image/jpeg %v, by libjpeg-turbo %v", what, want, err)
		}
	}
	for _, name := range []string{"420.jpg", "420-progressive.jpg", "busy-gray.jpg", "cmyk.jpg", "orientation6.jpg"} {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(file); n += 7 {
			try(fmt.Sprintf("%s cut to %d bytes", name, n), file[:n], true)
		}
		try(name+" and more", append(bytes.Clone(file), "and more"...), false)
		for i := range 100 {
			b := bytes.Clone(file)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] = uint8(r.Uint32())
			}
			try(fmt.Sprintf("damage %d of seed %d to %s", i, seed, name), b, false)
		}
	}
	t.Logf("%d read, %d failed, damage unnoticed in %d", read, failed, unnoticed)
	if read < 100 || failed < 100 || unnoticed > read/10 {
		t.Errorf("%d read, %d failed, damage unnoticed in %d", read, failed, unnoticed)
	}
}

// TestDoubtfulJPEG: what libjpeg-turbo only warns of and image/jpeg takes has
// libjpeg-turbo's pixels.
func TestDoubtfulJPEG(t *testing.T) {
	needTurbo(t)
	file, err := os.ReadFile("testdata/420.jpg")
	if err != nil {
		t.Fatal(err)
	}
	want, err := decodeBytes(file, Options{JPEG: JPEGTurbo})
	if err != nil {
		t.Fatal(err)
	}
	end := len(file) - 2 // the marker of the end
	doubtful := append(append(bytes.Clone(file[:end]), 1, 2, 3), file[end:]...)
	got, err := decodeBytes(doubtful, Options{JPEG: JPEGTurbo})
	if err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("other pixels, %v", err)
	}
	if other, err := decodeBytes(doubtful, Options{JPEG: JPEGGo}); err != nil || bytes.Equal(other.Pix, want.Pix) {
		t.Errorf("image/jpeg gives the same pixels, %v: the test tests nothing", err)
	}
}

// TestJPEGOfSet: a set says which decoder it uses, if any.
func TestJPEGOfSet(t *testing.T) {
	for _, c := range []struct {
		file    []byte
		decoder string
		want    string
	}{
		{encodeJPEG(t, noise(9, 8)), JPEGGo, JPEGGo},
		{encodeJPEG(t, noise(9, 8)), JPEGTurbo, JPEGTurbo},
		{encodePNG(t, noise(9, 8)), JPEGGo, ""},
	} {
		if c.decoder == JPEGTurbo {
			needTurbo(t)
		}
		s, err := Open(t.Context(), write(t, map[string][]byte{"a.jpg": c.file}), Options{JPEG: c.decoder})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.JPEG != c.want {
			t.Errorf("%q, want %q", s.JPEG, c.want)
		}
	}
	if _, err := Open(t.Context(), write(t, map[string][]byte{"a.png": encodePNG(t, noise(1, 1))}), Options{JPEG: "best"}); err == nil ||
		!strings.Contains(err.Error(), "auto, turbo, go") {
		t.Errorf("an unknown decoder gives %v", err)
	}
}

// TestManyJPEG decodes from several goroutines at once, for the race detector.
func TestManyJPEG(t *testing.T) {
	needTurbo(t)
	files := map[string][]byte{}
	for i := range 24 {
		files[string(rune('a'+i))+".jpg"] = encodeJPEG(t, noise(20+i, 30))
	}
	s, err := Open(t.Context(), write(t, files), Options{JPEG: JPEGTurbo})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	one := decodesAll(t, s)
	indices := make([]int, s.Len())
	for i := range indices {
		indices[i] = i
	}
	l := NewLoader(t.Context(), s, func(yield func([]int) bool) { yield(indices) }, 8, 1)
	defer l.Close()
	b, err := l.Next()
	if err != nil {
		t.Fatal(err)
	}
	for i, item := range b.Items {
		if !bytes.Equal(item.Image.Pix, one[i].Pix) {
			t.Errorf("picture %d has other pixels", i)
		}
	}
}

// BenchmarkJPEG decodes a picture of 224 x 224 pixels by each decoder.
func BenchmarkJPEG(b *testing.B) {
	m := image.NewNRGBA(image.Rect(0, 0, 224, 224))
	for y := range 224 {
		for x := range 224 {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), uint8(x * y / 64), 255})
		}
	}
	file := encodeJPEG(b, m)
	for _, decoder := range []string{JPEGTurbo, JPEGGo} {
		b.Run(decoder, func(b *testing.B) {
			if decoder == JPEGTurbo {
				needTurbo(b)
			}
			for b.Loop() {
				if _, err := decodeBytes(file, Options{JPEG: decoder}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
