// Package dylib opens shared libraries at run time, so that a build needs
// neither them nor their headers.
package dylib

/*
#cgo linux LDFLAGS: -ldl
#cgo freebsd LDFLAGS:
#include <stdlib.h>
#ifdef _WIN32
#include <windows.h>
static void *openLibrary(const char *name) { return (void *)LoadLibraryA(name); }
static void *librarySymbol(void *lib, const char *name) { return (void *)GetProcAddress((HMODULE)lib, name); }
#else
#include <dlfcn.h>
static void *openLibrary(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
static void *librarySymbol(void *lib, const char *name) { return dlsym(lib, name); }
#endif
*/
import "C"

import "unsafe"

// Library is an opened library. It is never closed.
type Library struct{ handle unsafe.Pointer }

// Open opens the first of these libraries that there is.
func Open(names ...string) (Library, bool) {
	for _, name := range names {
		c := C.CString(name)
		handle := C.openLibrary(c)
		C.free(unsafe.Pointer(c))
		if handle != nil {
			return Library{handle}, true
		}
	}
	return Library{}, false
}

// Symbol is the address of a function or variable, nil where the library has
// none of that name.
func (l Library) Symbol(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.librarySymbol(l.handle, c)
}
