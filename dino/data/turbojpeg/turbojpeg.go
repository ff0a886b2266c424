// Package turbojpeg decodes JPEG files by libjpeg-turbo, through its TurboJPEG
// API (https://libjpeg-turbo.org/Documentation), which it opens at run time.
package turbojpeg

/*
#include <stdlib.h>
#include <string.h>

// What is used of turbojpeg.h, of libjpeg-turbo 2.0 and later.
enum { formatRGB = 0, accurateDCT = 4096, limitScans = 32768, errorWarning = 0 };

typedef struct {
	void *(*init)(void);
	int (*header)(void *handle, const unsigned char *file, unsigned long size,
		int *width, int *height, int *subsampling, int *colourspace);
	int (*decompress)(void *handle, const unsigned char *file, unsigned long size,
		unsigned char *pixels, int width, int pitch, int height, int format, int flags);
	int (*code)(void *handle);
	char *(*message)(void *handle);
	int (*destroy)(void *handle);
} turbo;

enum { decoded, warned, failed };

// decode writes width x height RGB pixels. Unless it returns decoded, text says
// why, in at most room bytes.
static int decode(const turbo *t, const unsigned char *file, unsigned long size,
		unsigned char *pixels, int width, int height, char *text, size_t room) {
	int w, h, subsampling, colourspace, result = decoded;
	void *handle = t->init();
	if (handle == NULL) {
		strncpy(text, "out of memory", room - 1);
		return failed;
	}
	if (t->header(handle, file, size, &w, &h, &subsampling, &colourspace) != 0)
		result = t->code(handle) == errorWarning ? warned : failed;
	if (result != failed && (w != width || h != height)) {
		strncpy(text, "another size than expected", room - 1);
		result = failed;
	} else if (result != failed) {
		if (t->decompress(handle, file, size, pixels, width, 0, height, formatRGB, accurateDCT | limitScans) != 0)
			result = t->code(handle) == errorWarning ? warned : failed;
	}
	if (result != decoded && text[0] == 0)
		strncpy(text, t->message(handle), room - 1);
	t->destroy(handle);
	return result;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"dino-vk/internal/dylib"
)

var (
	// ErrNoLibrary means that libjpeg-turbo was not found.
	ErrNoLibrary = errors.New("no libjpeg-turbo")
	// ErrDoubtful is wrapped by what the library only warns of: all pixels are
	// written, but some may be made up because the file is damaged.
	ErrDoubtful = errors.New("doubtful")
)

// library is opened once and never closed.
var library = sync.OnceValues(func() (*C.turbo, error) { return open(libraryNames()) })

// libraryNames are the library's file names on this operating system, in order.
func libraryNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"libturbojpeg.dll", "turbojpeg.dll"}
	case "darwin":
		return []string{"libturbojpeg.0.dylib", "libturbojpeg.dylib"}
	default:
		return []string{"libturbojpeg.so.0", "libturbojpeg.so"}
	}
}

func open(names []string) (*C.turbo, error) {
	lib, ok := dylib.Open(names...)
	if !ok {
		return nil, fmt.Errorf("%w: %s not found (on Debian: apt install libturbojpeg0)", ErrNoLibrary, strings.Join(names, ", "))
	}
	t := new(C.turbo)
	for _, f := range []struct {
		name string
		at   unsafe.Pointer
	}{
		{"tjInitDecompress", unsafe.Pointer(&t.init)},
		{"tjDecompressHeader3", unsafe.Pointer(&t.header)},
		{"tjDecompress2", unsafe.Pointer(&t.decompress)},
		{"tjGetErrorCode", unsafe.Pointer(&t.code)},
		{"tjGetErrorStr2", unsafe.Pointer(&t.message)},
		{"tjDestroy", unsafe.Pointer(&t.destroy)},
	} {
		p := lib.Symbol(f.name)
		if p == nil {
			return nil, fmt.Errorf("%w: the library has no %s; install version 2.0 or later", ErrNoLibrary, f.name)
		}
		*(*unsafe.Pointer)(f.at) = p
	}
	return t, nil
}

// Load opens the library. It may be called any number of times.
func Load() error {
	_, err := library()
	return err
}

// Decode decodes a JPEG file of w x h pixels, as its header must say, into rgb:
// 3*w*h bytes, interleaved, row-major, not turned. Inverse DCT and chroma
// upsampling are the library's exact ones, which Pillow uses as well. Files of
// four colours fail. It may be called from several goroutines at once.
func Decode(file []byte, w, h int, rgb []uint8) error {
	t, err := library()
	if err != nil {
		return err
	}
	if len(file) == 0 || w < 1 || h < 1 || len(rgb) != 3*w*h {
		return fmt.Errorf("turbojpeg: %d bytes for %d x %d pixels from %d bytes", len(rgb), w, h, len(file))
	}
	var text [200]C.char // the library's own messages are as long
	result := C.decode(t, (*C.uchar)(&file[0]), C.ulong(len(file)), (*C.uchar)(&rgb[0]), C.int(w), C.int(h), &text[0], C.size_t(len(text)))
	switch result {
	case C.decoded:
		return nil
	case C.warned:
		return fmt.Errorf("turbojpeg: %w: %s", ErrDoubtful, C.GoString(&text[0]))
	}
	return fmt.Errorf("turbojpeg: %s", C.GoString(&text[0]))
}
