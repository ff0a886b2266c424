package vk

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// UsageAddress is the bit of a buffer's usage that BufferAddress needs.
const UsageAddress = 0x20000

const (
	typeMemoryAllocateInfo      = 5
	typeMemoryAllocateFlagsInfo = 1000060000
	typeBufferAddressInfo       = 1000244001
	memoryHasAddress            = 2
)

// AllocateMemory takes memory of a type, for buffers with UsageAddress where
// addresses is set.
func (in Instance) AllocateMemory(device vulkan.Device, bytes uint64, typeIndex uint32, addresses bool) (vulkan.DeviceMemory, vulkan.Result) {
	var c chain
	defer c.arena.Free()
	info := link[struct {
		bytes     uint64
		typeIndex uint32
	}](&c, typeMemoryAllocateInfo)
	info.bytes, info.typeIndex = bytes, typeIndex
	if addresses {
		flags := link[struct{ flags, devices uint32 }](&c, typeMemoryAllocateFlagsInfo)
		flags.flags = memoryHasAddress
	}
	out := New[vulkan.DeviceMemory](&c.arena)
	r := in.result("vkAllocateMemory", dev(device), uint64(bodyHeader(info)), 0, uint64(Addr(out)))
	return *out, r
}

// BufferAddress is where shaders find a buffer.
func (in Instance) BufferAddress(device vulkan.Device, buffer vulkan.Buffer) uint64 {
	var c chain
	defer c.arena.Free()
	info := link[uint64](&c, typeBufferAddressInfo)
	*info = Handle(unsafe.Pointer(buffer))
	for _, name := range []string{"vkGetBufferDeviceAddress", "vkGetBufferDeviceAddressKHR"} {
		if fn := proc(in.handle, name); fn != nil {
			return call64(fn, dev(device), uint64(bodyHeader(info)))
		}
	}
	return 0
}
