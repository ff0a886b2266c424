package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // registers the format
	_ "image/jpeg" // registers the format
	_ "image/png"  // registers the format
	"io"
	"io/fs"

	_ "golang.org/x/image/bmp"  // registers the format
	_ "golang.org/x/image/tiff" // registers the format
	_ "golang.org/x/image/webp" // registers the format
)

// formats are the picture formats understood, as errors name them.
const formats = "JPEG, PNG, GIF, BMP, TIFF, WebP"

// maxSide is the longest side of a picture, JPEG's own limit: it bounds what
// shrinking takes besides pixels.
const maxSide = 65535

// header is what a picture file claims to be, before orientation.
type header struct {
	format string // as package image registers it
	w, h   int
}

// readHeader reads a picture's header and nothing more, and refuses one that
// claims no pixels or more than maxPixels.
func readHeader(r io.Reader, maxPixels int) (h header, err error) {
	defer guard(&err)
	c, format, err := image.DecodeConfig(r)
	if err != nil {
		return header{}, damaged(err)
	}
	if c.Width <= 0 || c.Height <= 0 {
		return header{}, fmt.Errorf("%s header claims %d x %d pixels: remove the file", format, c.Width, c.Height)
	}
	if c.Width > maxPixels/c.Height || max(c.Width, c.Height) > maxSide {
		return header{}, fmt.Errorf("%s header claims %d x %d pixels, more than the limit of %d (and %d a side): shrink or remove the file",
			format, c.Width, c.Height, maxPixels, maxSide)
	}
	return header{format, c.Width, c.Height}, nil
}

// decodeFile decodes a whole picture file with header h into upright RGB of at
// most area pixels, JPEG by the given decoder.
func decodeFile(file []byte, h header, area int, decoder string) (img Image, err error) {
	defer guard(&err)
	if h.format == "jpeg" && decoder == JPEGTurbo {
		if img, ok := decodeTurbo(file, h); ok {
			if h.w*h.h > area {
				img = shrink(h.w, h.h, rgbRows(img), area)
			}
			return upright(img, orientation(file, h.format)), nil
		}
	}
	if h.format == "gif" {
		file = keepTransparentColour(file)
	}
	m, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return Image{}, damaged(err)
	}
	if h.format == "gif" {
		m = onScreen(m.(*image.Paletted), h)
	}
	if b := m.Bounds(); b.Dx() != h.w || b.Dy() != h.h {
		return Image{}, fmt.Errorf("%s of %d x %d pixels whose header claims %d x %d: remove the file", h.format, b.Dx(), b.Dy(), h.w, h.h)
	}
	return upright(pack(h.w, h.h, rows(m, h.format), area), orientation(file, h.format)), nil
}

// keepTransparentColour returns the GIF with its first frame's transparency
// switched off: package gif would forget which colour the transparent index
// has, and that colour is what dropping alpha leaves.
func keepTransparentColour(file []byte) []byte {
	const headerLen, extension, graphicControl = 13, 0x21, 0xf9
	if len(file) < headerLen {
		return file
	}
	p := headerLen
	if flags := file[10]; flags&0x80 != 0 { // global colour table
		p += 3 << (flags&7 + 1)
	}
	for p+3 < len(file) && file[p] == extension {
		if file[p+1] == graphicControl {
			file = bytes.Clone(file)
			file[p+3] &^= 1
			return file
		}
		for p += 2; p < len(file) && file[p] != 0; { // sub-blocks, each led by its length
			p += 1 + int(file[p])
		}
		p++
	}
	return file
}

// onScreen lays a GIF's first frame, which may be smaller, on its logical
// screen, the rest of which has the palette's first colour.
func onScreen(frame *image.Paletted, h header) *image.Paletted {
	screen := image.NewPaletted(image.Rect(0, 0, h.w, h.h), frame.Palette)
	if frame.Rect == screen.Rect {
		return frame
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		copy(screen.Pix[screen.PixOffset(frame.Rect.Min.X, y):], frame.Pix[frame.PixOffset(frame.Rect.Min.X, y):][:frame.Rect.Dx()])
	}
	return screen
}

// guard turns a panic of a decoder into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the decoder failed (%v): remove the file", p)
	}
}

// damaged adds to a decoder's error what would help.
func damaged(err error) error {
	switch {
	case errors.Is(err, image.ErrFormat):
		return fmt.Errorf("%w (understood are %s): convert or remove the file", err, formats)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the file is cut short, copy it again or remove it", err)
	}
	return fmt.Errorf("%w: damaged or of an unsupported variant, convert or remove the file", err)
}

// named says which file an error is about and, if it could not be opened, what
// would help.
func named(name string, err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		err = file.Err // name already says which file
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: make it readable for this user", name, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: correct or remove the name", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
