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
	sType                uint32
	_                    uintptr // pNext
	waitSemaphoreCount   uint32
	pWaitSemaphores      uintptr
	pWaitDstStageMask    uintptr
	commandBufferCount   uint32
	pCommandBuffers      uintptr
	signalSemaphoreCount uint32
	pSignalSemaphores    uintptr
}

// Submission is a command buffer and what it is ordered by; what is nil is
// left out.
type Submission struct {
	Commands vulkan.CommandBuffer
	Wait     vulkan.Semaphore // before anything of it begins
	Signal   vulkan.Semaphore // when all of it has run
	Fence    vulkan.Fence     // the same
}

// QueueSubmit gives a submission to a queue.
func (in Instance) QueueSubmit(queue vulkan.Queue, s Submission) vulkan.Result {
	var a Arena
	defer a.Free()
	handle := func(h unsafe.Pointer) uintptr {
		p := New[uint64](&a)
		*p = Handle(h)
		return Addr(p)
	}
	info := New[submitInfo](&a)
	info.sType = uint32(vulkan.StructureTypeSubmitInfo)
	info.commandBufferCount = 1
	info.pCommandBuffers = handle(unsafe.Pointer(s.Commands))
	if s.Wait != nil {
		stages := New[uint32](&a)
		*stages = uint32(vulkan.PipelineStageAllCommandsBit)
		info.waitSemaphoreCount, info.pWaitSemaphores, info.pWaitDstStageMask = 1, handle(unsafe.Pointer(s.Wait)), Addr(stages)
	}
	if s.Signal != nil {
		info.signalSemaphoreCount, info.pSignalSemaphores = 1, handle(unsafe.Pointer(s.Signal))
	}
	return in.result("vkQueueSubmit", Handle(unsafe.Pointer(queue)), 1, uint64(Addr(info)), Handle(unsafe.Pointer(s.Fence)))
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
