package vk

// #include <stdlib.h>
import "C"

import "unsafe"

// Arena is zeroed C memory for the structures of one call. The zero value is
// ready; Free releases everything. Nothing in it is seen by the garbage
// collector, so it must hold no Go pointer.
type Arena struct{ blocks []unsafe.Pointer }

// alloc returns n zeroed bytes, aligned for any structure.
func (a *Arena) alloc(n uintptr) unsafe.Pointer {
	n = max(n, 1)
	p := C.malloc(C.size_t(n)) // never nil: cgo ends the program as Go does when memory is out
	clear(unsafe.Slice((*byte)(p), n))
	a.blocks = append(a.blocks, p)
	return p
}

// Free releases the arena's memory; the arena may be used again.
func (a *Arena) Free() {
	for _, p := range a.blocks {
		C.free(p)
	}
	a.blocks = nil
}

// New returns a zeroed T in C memory.
func New[T any](a *Arena) *T {
	var t T
	return (*T)(a.alloc(unsafe.Sizeof(t)))
}

// Slice returns n zeroed T in C memory.
func Slice[T any](a *Arena, n int) []T {
	var t T
	return unsafe.Slice((*T)(a.alloc(unsafe.Sizeof(t)*uintptr(n))), n)
}

// CString copies s with a closing zero into C memory and returns its address.
func (a *Arena) CString(s string) uintptr {
	b := Slice[byte](a, len(s)+1)
	copy(b, s)
	return Addr(&b[0])
}

// CStrings copies the strings and returns the address of their pointer array.
func (a *Arena) CStrings(ss []string) uintptr {
	p := Slice[uintptr](a, len(ss)+1)
	for i, s := range ss {
		p[i] = a.CString(s)
	}
	return Addr(&p[0])
}

// Addr is the address of C memory, in the form the structures hold.
func Addr[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// Handle turns a handle of the binding, converted to unsafe.Pointer, into the
// integer the structures hold.
func Handle(h unsafe.Pointer) uint64 { return uint64(uintptr(h)) }
