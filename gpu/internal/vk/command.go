package vk

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// Instance calls the entry points that the binding lacks or gets wrong. It
// owns nothing.
type Instance struct{ handle vulkan.Instance }

// Wrap returns the caller for an instance.
func Wrap(instance vulkan.Instance) Instance { return Instance{instance} }

// call runs a named entry point; ok is false where the loader has none.
func (in Instance) call(name string, args ...uint64) (result int32, ok bool) {
	fn := proc(in.handle, name)
	if fn == nil {
		return int32(vulkan.ErrorExtensionNotPresent), false
	}
	return call(fn, args...), true
}

// result is call for functions that return a VkResult.
func (in Instance) result(name string, args ...uint64) vulkan.Result {
	r, _ := in.call(name, args...)
	return vulkan.Result(r)
}

func dev(d vulkan.Device) uint64 { return Handle(unsafe.Pointer(d)) }

func cmdbuf(c vulkan.CommandBuffer) uint64 { return Handle(unsafe.Pointer(c)) }

type submitInfo struct {
	sType              uint32
	_                  uintptr // pNext
	_                  uint32  // waitSemaphoreCount
	_                  uintptr // pWaitSemaphores
	_                  uintptr // pWaitDstStageMask
	commandBufferCount uint32
	pCommandBuffers    uintptr
	_                  uint32  // signalSemaphoreCount
	_                  uintptr // pSignalSemaphores
}

// QueueSubmit submits command buffers as one batch and signals fence.
func (in Instance) QueueSubmit(queue vulkan.Queue, fence vulkan.Fence, cmds ...vulkan.CommandBuffer) vulkan.Result {
	var a Arena
	defer a.Free()
	list := Slice[uint64](&a, len(cmds))
	for i, c := range cmds {
		list[i] = cmdbuf(c)
	}
	info := New[submitInfo](&a)
	info.sType = uint32(vulkan.StructureTypeSubmitInfo)
	info.commandBufferCount = uint32(len(cmds))
	info.pCommandBuffers = Addr(unsafe.SliceData(list))
	return in.result("vkQueueSubmit", Handle(unsafe.Pointer(queue)), 1, uint64(Addr(info)), Handle(unsafe.Pointer(fence)))
}

// BufferWrite binds a buffer to a descriptor: a byte range of a storage
// buffer or, where View is set, a uniform texel buffer.
type BufferWrite struct {
	Set           vulkan.DescriptorSet
	Binding       uint32
	Buffer        vulkan.Buffer
	Offset, Bytes int64
	View          vulkan.BufferView
}

type descriptorBufferInfo struct{ buffer, offset, rangeBytes uint64 }

type writeDescriptorSet struct {
	sType           uint32
	_               uintptr // pNext
	dstSet          uint64
	dstBinding      uint32
	_               uint32 // dstArrayElement
	descriptorCount uint32
	descriptorType  uint32
	_               uintptr // pImageInfo
	pBufferInfo     uintptr
	pTexelBuffer    uintptr
}

// UpdateDescriptorSets writes descriptors of buffers.
func (in Instance) UpdateDescriptorSets(device vulkan.Device, writes []BufferWrite) {
	if len(writes) == 0 {
		return
	}
	var a Arena
	defer a.Free()
	list := Slice[writeDescriptorSet](&a, len(writes))
	infos := Slice[descriptorBufferInfo](&a, len(writes))
	views := Slice[uint64](&a, len(writes))
	for i, w := range writes {
		list[i] = writeDescriptorSet{
			sType:           uint32(vulkan.StructureTypeWriteDescriptorSet),
			dstSet:          Handle(unsafe.Pointer(w.Set)),
			dstBinding:      w.Binding,
			descriptorCount: 1,
		}
		if w.View != nil {
			views[i] = Handle(unsafe.Pointer(w.View))
			list[i].descriptorType = uint32(vulkan.DescriptorTypeUniformTexelBuffer)
			list[i].pTexelBuffer = Addr(&views[i])
			continue
		}
		infos[i] = descriptorBufferInfo{Handle(unsafe.Pointer(w.Buffer)), uint64(w.Offset), uint64(w.Bytes)}
		list[i].descriptorType = uint32(vulkan.DescriptorTypeStorageBuffer)
		list[i].pBufferInfo = Addr(&infos[i])
	}
	in.call("vkUpdateDescriptorSets", dev(device), uint64(len(list)), uint64(Addr(&list[0])), 0, 0)
}

type memoryBarrier struct {
	sType    uint32
	_        uintptr // pNext
	src, dst uint32
}

// CmdMemoryBarrier records one global memory barrier: what the source stages
// wrote with the source accesses is made visible to the destination's.
func (in Instance) CmdMemoryBarrier(cmd vulkan.CommandBuffer, srcStage, dstStage vulkan.PipelineStageFlagBits, src, dst vulkan.AccessFlagBits) {
	var a Arena
	defer a.Free()
	b := New[memoryBarrier](&a)
	*b = memoryBarrier{sType: uint32(vulkan.StructureTypeMemoryBarrier), src: uint32(src), dst: uint32(dst)}
	in.call("vkCmdPipelineBarrier", cmdbuf(cmd), uint64(srcStage), uint64(dstStage), 0, 1, uint64(Addr(b)))
}

// CmdCopyBuffer records a copy of one byte range.
func (in Instance) CmdCopyBuffer(cmd vulkan.CommandBuffer, src, dst vulkan.Buffer, srcOffset, dstOffset, bytes int64) {
	var a Arena
	defer a.Free()
	region := New[[3]uint64](&a)
	*region = [3]uint64{uint64(srcOffset), uint64(dstOffset), uint64(bytes)}
	in.call("vkCmdCopyBuffer", cmdbuf(cmd), Handle(unsafe.Pointer(src)), Handle(unsafe.Pointer(dst)), 1, uint64(Addr(region)))
}
