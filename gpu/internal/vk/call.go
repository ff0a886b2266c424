package vk

/*
#include <stdint.h>

typedef uint64_t (*entryPoint)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
	uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

// On the 64-bit calling conventions an integer or pointer argument takes one
// register or one 8-byte stack slot, and the caller removes what the callee
// did not ask for; so one signature serves every Vulkan entry point without
// floating-point parameters.
static uint64_t callEntryPoint(void *fn, const uint64_t *a) {
	return ((entryPoint)fn)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
}
*/
import "C"

import "unsafe"

// call runs the entry point with up to ten integer, handle or address
// arguments and returns its VkResult (meaningless for void functions).
func call(fn unsafe.Pointer, args ...uint64) int32 { return int32(uint32(call64(fn, args...))) }

// call64 is call for entry points that return 64 bits.
func call64(fn unsafe.Pointer, args ...uint64) uint64 {
	var a [10]C.uint64_t
	for i, v := range args {
		a[i] = C.uint64_t(v)
	}
	return uint64(C.callEntryPoint(fn, &a[0]))
}
