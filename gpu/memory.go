package gpu

import (
	"fmt"
	"unsafe"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

// place says where a buffer lives.
type place int

const (
	inDevice place = iota // the device's own memory
	inInput               // the device's own memory, which the queue for uploads fills
	inHost                // memory the host maps and the device reads over its bus
)

// buffer is a VkBuffer with memory of its own.
type buffer struct {
	dev    *Device
	handle vulkan.Buffer
	memory vulkan.DeviceMemory
	bytes  int64  // asked for
	taken  int64  // from the device's memory, after its rounding
	mapped []byte // inHost only
}

const bufferUsage = vulkan.BufferUsageFlags(vulkan.BufferUsageStorageBufferBit | vulkan.BufferUsageUniformTexelBufferBit |
	vulkan.BufferUsageTransferSrcBit | vulkan.BufferUsageTransferDstBit)

// memoryWish is a set of properties a memory type must have.
var memoryWishes = map[place][]vulkan.MemoryPropertyFlagBits{
	inDevice: {vulkan.MemoryPropertyDeviceLocalBit, 0},
	inInput:  {vulkan.MemoryPropertyDeviceLocalBit, 0},
	inHost: {
		vulkan.MemoryPropertyHostVisibleBit | vulkan.MemoryPropertyHostCoherentBit | vulkan.MemoryPropertyHostCachedBit,
		vulkan.MemoryPropertyHostVisibleBit | vulkan.MemoryPropertyHostCoherentBit,
	},
}

// memoryType finds the first memory type that fits the place's best wish.
func (d *Device) memoryType(at place, allowed uint32) (uint32, bool) {
	for _, wish := range memoryWishes[at] {
		for i, flags := range d.memoryTypes {
			if allowed&(1<<i) != 0 && flags&wish == wish {
				return uint32(i), true
			}
		}
	}
	return 0, false
}

// newBuffer makes a buffer of the given size. Its content is undefined.
// what names it in the error when memory is out.
func (d *Device) newBuffer(what string, at place, bytes int64) (*buffer, error) {
	bytes = max(bytes, 4)
	if d.compileOnly {
		return nil, fmt.Errorf("%s: %s was opened for compiling only", what, d.Name)
	}
	if bytes > d.MaxBuffer {
		return nil, fmt.Errorf("%s: %w: a buffer of %s is more than the device's limit of %s",
			what, ErrOutOfMemory, FormatBytes(bytes), FormatBytes(d.MaxBuffer))
	}
	b := &buffer{dev: d, bytes: bytes}
	info := vulkan.BufferCreateInfo{
		SType:       vulkan.StructureTypeBufferCreateInfo,
		Size:        vulkan.DeviceSize(bytes),
		Usage:       bufferUsage,
		SharingMode: vulkan.SharingModeExclusive,
	}
	if d.Features&BufferDeviceAddress != 0 {
		info.Usage |= vk.UsageAddress
	}
	if families := d.families(); at != inDevice && len(families) > 1 {
		info.SharingMode = vulkan.SharingModeConcurrent
		info.QueueFamilyIndexCount, info.PQueueFamilyIndices = uint32(len(families)), families
	}
	defer info.Free()
	var created vulkan.Buffer
	if err := check(what, vulkan.CreateBuffer(d.handle, &info, nil, &created)); err != nil {
		return nil, err
	}
	b.handle = created
	var need vulkan.MemoryRequirements
	vulkan.GetBufferMemoryRequirements(d.handle, b.handle, &need)
	need.Deref()
	need.Free()
	if err := b.bind(what, at, need); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// bind allocates memory for the buffer, binds it and maps it where the host
// may write it.
func (b *buffer) bind(what string, at place, need vulkan.MemoryRequirements) error {
	d := b.dev
	index, ok := d.memoryType(at, need.MemoryTypeBits)
	if !ok {
		return fmt.Errorf("%s: the device has no suitable memory type", what)
	}
	memory, r := d.api.AllocateMemory(d.handle, uint64(need.Size), index, d.Features&BufferDeviceAddress != 0)
	if err := check(what, r); err != nil {
		return fmt.Errorf("%w: asked for %s while %s are in use", err, FormatBytes(int64(need.Size)), FormatBytes(d.MemoryInUse()))
	}
	b.memory, b.taken = memory, int64(need.Size)
	d.account(b.taken)
	if err := check(what, vulkan.BindBufferMemory(d.handle, b.handle, b.memory, 0)); err != nil {
		return err
	}
	if at != inHost {
		return nil
	}
	var p unsafe.Pointer
	if err := check(what, vulkan.MapMemory(d.handle, b.memory, 0, vulkan.DeviceSize(vulkan.WholeSize), 0, &p)); err != nil {
		return err
	}
	b.mapped = unsafe.Slice((*byte)(p), b.bytes)
	return nil
}

// close frees the buffer; the device must not be using it.
func (b *buffer) close() {
	if b == nil || b.dev.stuck {
		return
	}
	vulkan.DestroyBuffer(b.dev.handle, b.handle, nil)
	if b.taken > 0 {
		vulkan.FreeMemory(b.dev.handle, b.memory, nil) // unmaps too
		b.dev.account(-b.taken)
	}
	*b = buffer{dev: b.dev}
}

// account adds to the memory in use and keeps its peak.
func (d *Device) account(bytes int64) {
	d.memory.Lock()
	defer d.memory.Unlock()
	d.memoryInUse += bytes
	d.memoryPeak = max(d.memoryPeak, d.memoryInUse)
}

// MemoryInUse is the number of bytes now allocated from the device, host
// visible memory included.
func (d *Device) MemoryInUse() int64 {
	d.memory.Lock()
	defer d.memory.Unlock()
	return d.memoryInUse
}

// PeakMemory is the largest MemoryInUse so far, in bytes.
func (d *Device) PeakMemory() int64 {
	d.memory.Lock()
	defer d.memory.Unlock()
	return d.memoryPeak
}

// Available is the number of bytes that can still be allocated in the
// device's largest local heap: what the driver's budget leaves where it tells
// (VK_EXT_memory_budget), else the heap's size less what this device uses.
func (d *Device) Available() int64 {
	heap, bytes := largestHeap(d.Heaps)
	if budget, usage, ok := d.instance.api.MemoryBudget(d.physical, d.support); ok && budget[heap] > 0 {
		return max(int64(budget[heap])-int64(usage[heap]), 0)
	}
	return max(bytes-d.MemoryInUse(), 0)
}

// largestHeap prefers heaps that are local to the device.
func largestHeap(heaps []Heap) (index int, bytes int64) {
	local := false
	for i, h := range heaps {
		if h.Local && !local || h.Local == local && h.Bytes > bytes {
			index, bytes, local = i, h.Bytes, h.Local
		}
	}
	return index, bytes
}

// FormatBytes writes a size for people, in binary units.
func FormatBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
