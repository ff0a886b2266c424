package data

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
)

// decodeBytes decodes a file as pictures does.
func decodeBytes(file []byte, o Options) (Image, error) {
	o = o.withDefaults()
	decoder, err := jpegDecoder(o.JPEG)
	if err != nil {
		return Image{}, err
	}
	p := &pictures{limit: o.Area, maxPixels: o.MaxPixels}
	h, err := p.readHeader(io.NewSectionReader(bytes.NewReader(file), 0, int64(len(file))))
	if err != nil {
		return Image{}, err
	}
	return decodeFile(file, h, o.Area, decoder)
}

// TestGolden compares every kind of file with what Pillow makes of it
// (testdata/make.py): libjpeg-turbo's pixels are the same exactly.
func TestGolden(t *testing.T) {
	type want struct {
		W, H, Tolerance int
		RGB             []byte
		Decoder         string // the only one to compare, if not empty
	}
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]want
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) < 37 {
		t.Fatalf("only %d golden pictures", len(golden))
	}
	compare := func(t *testing.T, name, decoder string, want want) {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBytes(file, Options{JPEG: decoder})
		if err != nil {
			t.Fatal(err)
		}
		if got.W != want.W || got.H != want.H || len(got.Pix) != len(want.RGB) {
			t.Fatalf("%d x %d, want %d x %d", got.W, got.H, want.W, want.H)
		}
		for i := range got.Pix {
			if d := int(got.Pix[i]) - int(want.RGB[i]); d > want.Tolerance || d < -want.Tolerance {
				t.Fatalf("byte %d is %d, want %d within %d\ngot  %v\nwant %v", i, got.Pix[i], want.RGB[i], want.Tolerance, got.Pix, want.RGB)
			}
		}
	}
	for name, want := range golden {
		if want.Decoder != JPEGTurbo {
			t.Run(name, func(t *testing.T) { compare(t, name, JPEGGo, want) })
		}
		if filepath.Ext(name) != ".jpg" {
			continue
		}
		t.Run(name+" by libjpeg-turbo", func(t *testing.T) {
			needTurbo(t)
			if name != "cmyk.jpg" { // which image/jpeg decodes
				want.Tolerance = 0
			}
			compare(t, name, JPEGTurbo, want)
		})
	}
}

// gradient is a picture whose pixels all differ.
func gradient(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(7 * x), uint8(11 * y), uint8(x + y), 255})
		}
	}
	return m
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSixteenBits(t *testing.T) {
	m := image.NewNRGBA64(image.Rect(0, 0, 2, 1))
	m.SetNRGBA64(0, 0, color.NRGBA64{0x12ff, 0x3400, 0x5680, 0xffff})
	m.SetNRGBA64(1, 0, color.NRGBA64{0xfeff, 0x01ff, 0x00ff, 0x0000})
	for name, m := range map[string]image.Image{"NRGBA64": m, "RGBA64": opaqueCopy(m)} {
		got, err := decodeBytes(encodePNG(t, m), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if want := []byte{0x12, 0x34, 0x56, 0xfe, 0x01, 0x00}; !bytes.Equal(got.Pix, want) {
			t.Errorf("%s: % x, want % x", name, got.Pix, want)
		}
	}
}

func opaqueCopy(m *image.NRGBA64) *image.RGBA64 {
	c := image.NewRGBA64(m.Rect)
	copy(c.Pix, m.Pix)
	for i := 6; i < len(c.Pix); i += 8 {
		c.Pix[i], c.Pix[i+1] = 0xff, 0xff
	}
	return c
}

func TestPremultipliedAlpha(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 3, 1))
	copy(m.Pix, []uint8{100, 50, 25, 255, 100, 50, 0, 100, 9, 8, 7, 0})
	if got, want := pack(3, 1, rows(m, "tiff"), 3).Pix, []byte{100, 50, 25, 255, 127, 0, 9, 8, 7}; !bytes.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestGIFFrame has a first frame smaller than the screen, after an extension
// that must be stepped over.
func TestGIFFrame(t *testing.T) {
	palette := color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{200, 0, 0, 255}, color.RGBA{0, 90, 80, 255}}
	frame := image.NewPaletted(image.Rect(1, 1, 3, 2), palette)
	frame.Pix = []uint8{1, 2}
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{
		Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}, LoopCount: 3,
		Config: image.Config{ColorModel: palette, Width: 4, Height: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeBytes(b.Bytes(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := Image{W: 4, H: 3, Pix: bytes.Repeat([]byte{1, 2, 3}, 12)}
	copy(want.Pix[3*5:], []byte{200, 0, 0, 0, 90, 80})
	if got.W != want.W || got.H != want.H || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestShrink(t *testing.T) {
	for _, c := range []struct{ w, h, area, wantW, wantH int }{
		{512, 512, 512 * 512, 512, 512},
		{1024, 1024, 512 * 512, 512, 512},
		{4000, 3000, 512 * 512, 591, 443},
		{100, 1, 10, 10, 1},
		{1, 100, 10, 1, 10},
		{1 << 20, 1, 512 * 512, 512 * 512, 1},
		{3, 3, 1, 1, 1},
	} {
		w, h := fit(c.w, c.h, c.area)
		if w != c.wantW || h != c.wantH || w*h > c.area {
			t.Errorf("fit(%d, %d, %d) = %d, %d, want %d, %d", c.w, c.h, c.area, w, h, c.wantW, c.wantH)
		}
	}
	// A checkerboard of single pixels is grey from afar: without antialiasing
	// it would stay black or white.
	board := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range board.Pix {
		board.Pix[i] = uint8(255 * ((i + i/64) % 2))
	}
	got, err := decodeBytes(encodePNG(t, board), Options{Area: 16 * 16})
	if err != nil {
		t.Fatal(err)
	}
	if got.W != 16 || got.H != 16 {
		t.Fatalf("%d x %d", got.W, got.H)
	}
	for i, v := range got.Pix {
		if v < 96 || v > 160 {
			t.Fatalf("byte %d is %d, want grey", i, v)
		}
	}
}

// setPNGSize makes a PNG's header claim another size, with a valid checksum.
func setPNGSize(file []byte, w, h uint32) []byte {
	file = bytes.Clone(file)
	binary.BigEndian.PutUint32(file[16:], w)
	binary.BigEndian.PutUint32(file[20:], h)
	binary.BigEndian.PutUint32(file[29:], crc32.ChecksumIEEE(file[12:29]))
	return file
}

func TestHostilePictures(t *testing.T) {
	pngFile := encodePNG(t, gradient(16, 16))
	var bmpFile, gifFile bytes.Buffer
	if err := bmp.Encode(&bmpFile, gradient(4, 4)); err != nil {
		t.Fatal(err)
	}
	if err := gif.Encode(&gifFile, gradient(4, 4), nil); err != nil {
		t.Fatal(err)
	}
	hugeBMP := bmpFile.Bytes()
	binary.LittleEndian.PutUint32(hugeBMP[18:], 60000)
	binary.LittleEndian.PutUint32(hugeBMP[22:], 60000)
	hugeGIF := gifFile.Bytes()
	copy(hugeGIF[6:], []byte{0xff, 0xff, 0xff, 0xff})
	lossless, err := os.ReadFile("testdata/lossless.webp")
	if err != nil {
		t.Fatal(err)
	}
	hugeWebP := bytes.Clone(lossless)
	copy(hugeWebP[21:], []byte{0xff, 0xff, 0xff, 0x0f}) // 14 bits each of width-1 and height-1
	tif, err := os.ReadFile("testdata/rgb.tif")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "empty"},
		{"text", []byte("hello"), "unknown format"},
		{"gigapixel PNG", setPNGSize(pngFile, 40000, 40000), "40000 x 40000"},
		{"gigapixel BMP", hugeBMP, "60000 x 60000"},
		{"gigapixel GIF", hugeGIF, "65535 x 65535"},
		{"gigapixel WebP", hugeWebP, "16384 x 16384"},
		{"PNG of one long row", setPNGSize(pngFile, 1<<20, 1), "65535 a side"},
		{"PNG of another size", setPNGSize(pngFile, 16, 20), ""},
		{"PNG of no width", setPNGSize(pngFile, 0, 16), ""},
		{"PNG cut in its header", pngFile[:20], "EOF"},
		{"PNG cut in its pixels", pngFile[:len(pngFile)/2], "not enough"},
		{"JPEG cut in its pixels", encodeJPEG(t, gradient(64, 64))[:900], "short"},
		{"TIFF cut", tif[:len(tif)/2], "EOF"},
		{"WebP cut", lossless[:len(lossless)-8], "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := decodeBytes(c.file, Options{})
			if err == nil {
				t.Fatalf("decoded to %d x %d", img.W, img.H)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	err := func() (err error) {
		defer guard(&err)
		var m *image.Gray
		_ = m.Pix[0]
		return nil
	}()
	if err == nil || !strings.Contains(err.Error(), "decoder failed") {
		t.Errorf("a panic became %v", err)
	}
}

// TestSubsampling compares every chroma subsampling, at odd sizes, with
// package image's own notion of which samples a pixel has.
func TestSubsampling(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		m := image.NewYCbCr(image.Rect(0, 0, 7, 5), ratio)
		for _, plane := range [][]uint8{m.Y, m.Cb, m.Cr} {
			for i := range plane {
				plane[i] = uint8(len(plane)*31 + 37*i)
			}
		}
		got := pack(7, 5, rows(m, "jpeg"), 35)
		for i := range 35 {
			c := m.YCbCrAt(i%7, i/7)
			r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			for k, v := range []uint8{r, g, b} {
				if d := int(got.Pix[3*i+k]) - int(v); d < -1 || d > 1 { // they round differently
					t.Errorf("%v, pixel %d, channel %d: %d, want %d", ratio, i, k, got.Pix[3*i+k], v)
				}
			}
		}
	}
}
