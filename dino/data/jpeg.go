package data

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"strings"

	"dino-vk/dino/data/turbojpeg"
)

// The decoders of JPEG files. Their pixels differ: package image/jpeg rounds
// otherwise, by one at most in each colour plane, and repeats chroma samples
// where libjpeg-turbo and with it Pillow interpolate.
const (
	// JPEGAuto stands for JPEGTurbo where the library is installed, else JPEGGo.
	JPEGAuto = "auto"
	// JPEGTurbo is libjpeg-turbo, opened at run time.
	JPEGTurbo = "turbo"
	// JPEGGo is package image/jpeg.
	JPEGGo = "go"
)

// JPEGDecoders are the values of Options.JPEG.
func JPEGDecoders() []string { return []string{JPEGAuto, JPEGTurbo, JPEGGo} }

// jpegDecoder is the decoder that a value of Options.JPEG stands for here.
func jpegDecoder(name string) (string, error) {
	switch name {
	case JPEGGo:
		return JPEGGo, nil
	case JPEGTurbo:
		if err := turbojpeg.Load(); err != nil {
			return "", fmt.Errorf("JPEG decoder %s: %w; or use the decoder %s", name, err, JPEGGo)
		}
		return JPEGTurbo, nil
	case JPEGAuto:
		if turbojpeg.Load() != nil {
			return JPEGGo, nil
		}
		return JPEGTurbo, nil
	}
	return "", fmt.Errorf("JPEG decoder %q: use one of %s", name, strings.Join(JPEGDecoders(), ", "))
}

// decodeTurbo decodes a JPEG by libjpeg-turbo and reports whether it could.
// What it fails on (files of four colours among them) is left to image/jpeg,
// and what it only warns of must pass there too, for it makes up what damage
// has cost. So a file that is cut short is as unreadable by either decoder.
func decodeTurbo(file []byte, h header) (img Image, ok bool) {
	img = Image{W: h.w, H: h.h, Pix: make([]uint8, 3*h.w*h.h)}
	err := turbojpeg.Decode(file, h.w, h.h, img.Pix)
	if errors.Is(err, turbojpeg.ErrDoubtful) {
		_, err = jpeg.Decode(bytes.NewReader(file))
	}
	return img, err == nil
}

// rgbRows returns a function that writes row y of img into dst.
func rgbRows(img Image) func(y int, dst []uint8) {
	return func(y int, dst []uint8) { copy(dst, img.Pix[3*img.W*y:]) }
}
