package vk

/*
#include <stdint.h>
#include <stdlib.h>
typedef void *(*getProcAddr)(void *instance, const char *name);
static void *instanceProc(void *get, uintptr_t instance, const char *name) {
	return ((getProcAddr)get)((void *)instance, name);
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

	vulkan "github.com/vulkan-go/vulkan"

	"dino-vk/internal/dylib"
)

// ErrNoLoader means that no Vulkan loader library was found.
var ErrNoLoader = errors.New("no Vulkan loader")

// loader is the process-wide Vulkan loader: loaded once, never unloaded.
var loader struct {
	once  sync.Once
	err   error
	get   unsafe.Pointer // vkGetInstanceProcAddr
	procs sync.Map       // name → unsafe.Pointer

	instance sync.Once // binding's table of instance functions
}

// libraryNames are the loader's file names on this operating system, in order.
func libraryNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"vulkan-1.dll"}
	case "darwin":
		return []string{"libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"}
	default:
		return []string{"libvulkan.so.1", "libvulkan.so"}
	}
}

// Load opens the Vulkan loader and prepares the binding. It may be called any
// number of times. A missing library is [ErrNoLoader] with the remedy.
func Load() error {
	loader.once.Do(func() { loader.err = load(libraryNames()) })
	return loader.err
}

func load(names []string) error {
	lib, ok := dylib.Open(names...)
	if !ok {
		return fmt.Errorf("%w: %s not found (on Debian and Ubuntu: apt install libvulkan1 mesa-vulkan-drivers)",
			ErrNoLoader, strings.Join(names, ", "))
	}
	loader.get = lib.Symbol("vkGetInstanceProcAddr")
	if loader.get == nil {
		return fmt.Errorf("%w: the library has no vkGetInstanceProcAddr", ErrNoLoader)
	}
	vulkan.SetGetInstanceProcAddr(loader.get)
	if err := vulkan.Init(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoLoader, err)
	}
	return nil
}

// InitInstance gives the binding its instance functions. The loader hands out
// dispatching functions that serve every instance, so once is enough, and it
// keeps a second instance from writing the table while the first one reads it.
func InitInstance(instance vulkan.Instance) error {
	var err error
	loader.instance.Do(func() { err = vulkan.InitInstance(instance) })
	return err
}

// Version is the loader's instance API version.
func Version() uint32 {
	fn := proc(nil, "vkEnumerateInstanceVersion")
	if fn == nil {
		return vulkan.MakeVersion(1, 0, 0)
	}
	var a Arena
	defer a.Free()
	v := New[uint32](&a)
	if call(fn, uint64(Addr(v))) != 0 {
		return vulkan.MakeVersion(1, 0, 0)
	}
	return *v
}

// proc finds an entry point; nil where the loader has none. Core functions
// are the loader's own trampolines, so the address found through one instance
// serves all and is kept by name.
func proc(instance vulkan.Instance, name string) unsafe.Pointer {
	if p, ok := loader.procs.Load(name); ok {
		return p.(unsafe.Pointer)
	}
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	p := C.instanceProc(loader.get, C.uintptr_t(uintptr(unsafe.Pointer(instance))), c)
	if p != nil {
		loader.procs.Store(name, p)
	}
	return p
}
