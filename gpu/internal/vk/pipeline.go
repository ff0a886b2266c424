package vk

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

type descriptorSetLayoutBinding struct {
	binding         uint32
	descriptorType  uint32
	descriptorCount uint32
	stageFlags      uint32
	_               uintptr // pImmutableSamplers
}

type descriptorSetLayoutCreateInfo struct {
	sType        uint32
	_            uintptr // pNext
	_            uint32  // flags
	bindingCount uint32
	pBindings    uintptr
}

// CreateDescriptorSetLayout makes the layout of a set that holds one buffer,
// of the given descriptor type, at each binding from 0 on.
func (in Instance) CreateDescriptorSetLayout(device vulkan.Device, bindings []vulkan.DescriptorType) (vulkan.DescriptorSetLayout, vulkan.Result) {
	var a Arena
	defer a.Free()
	list := Slice[descriptorSetLayoutBinding](&a, len(bindings))
	for i, kind := range bindings {
		list[i] = descriptorSetLayoutBinding{
			binding:         uint32(i),
			descriptorType:  uint32(kind),
			descriptorCount: 1,
			stageFlags:      uint32(vulkan.ShaderStageComputeBit),
		}
	}
	info := New[descriptorSetLayoutCreateInfo](&a)
	info.sType = uint32(vulkan.StructureTypeDescriptorSetLayoutCreateInfo)
	info.bindingCount = uint32(len(bindings))
	info.pBindings = Addr(unsafe.SliceData(list))
	out := New[vulkan.DescriptorSetLayout](&a)
	r := in.result("vkCreateDescriptorSetLayout", dev(device), uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}

type pipelineLayoutCreateInfo struct {
	sType                  uint32
	_                      uintptr // pNext
	_                      uint32  // flags
	setLayoutCount         uint32
	pSetLayouts            uintptr
	pushConstantRangeCount uint32
	pPushConstantRanges    uintptr
}

type pushConstantRange struct{ stageFlags, offset, size uint32 }

// CreatePipelineLayout makes a layout of one descriptor set and, where
// pushBytes > 0, one range of push constants.
func (in Instance) CreatePipelineLayout(device vulkan.Device, set vulkan.DescriptorSetLayout, pushBytes int) (vulkan.PipelineLayout, vulkan.Result) {
	var a Arena
	defer a.Free()
	sets := Slice[uint64](&a, 1)
	sets[0] = Handle(unsafe.Pointer(set))
	info := New[pipelineLayoutCreateInfo](&a)
	info.sType = uint32(vulkan.StructureTypePipelineLayoutCreateInfo)
	info.setLayoutCount = 1
	info.pSetLayouts = Addr(&sets[0])
	if pushBytes > 0 {
		push := New[pushConstantRange](&a)
		*push = pushConstantRange{uint32(vulkan.ShaderStageComputeBit), 0, uint32(pushBytes)}
		info.pushConstantRangeCount = 1
		info.pPushConstantRanges = Addr(push)
	}
	out := New[vulkan.PipelineLayout](&a)
	r := in.result("vkCreatePipelineLayout", dev(device), uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}

type specializationMapEntry struct {
	constantID uint32
	offset     uint32
	size       uintptr
}

type specializationInfo struct {
	mapEntryCount uint32
	pMapEntries   uintptr
	dataSize      uintptr
	pData         uintptr
}

type pipelineShaderStageCreateInfo struct {
	sType               uint32
	pNext               uintptr
	flags               uint32
	stage               uint32
	module              uint64
	pName               uintptr
	pSpecializationInfo uintptr
}

type computePipelineCreateInfo struct {
	sType             uint32
	_                 uintptr // pNext
	flags             uint32
	stage             pipelineShaderStageCreateInfo
	layout            uint64
	_                 uint64 // basePipelineHandle
	basePipelineIndex int32
}

type requiredSubgroupSize struct {
	sType uint32
	_     uintptr // pNext
	size  uint32
}

const requireFullSubgroups = 2 // VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT

// CreateComputePipeline makes one compute pipeline whose 32-bit
// specialization constants take the given values by constant id. Its subgroups
// are full and of the given size; 0 leaves them to the driver. flags are
// VkPipelineCreateFlags.
func (in Instance) CreateComputePipeline(device vulkan.Device, cache vulkan.PipelineCache, module vulkan.ShaderModule,
	entry string, layout vulkan.PipelineLayout, spec map[uint32]uint32, subgroup, flags uint32) (vulkan.Pipeline, vulkan.Result) {
	var a Arena
	defer a.Free()
	info := New[computePipelineCreateInfo](&a)
	info.sType = uint32(vulkan.StructureTypeComputePipelineCreateInfo)
	info.layout = Handle(unsafe.Pointer(layout))
	info.basePipelineIndex = -1
	info.flags = flags
	info.stage = pipelineShaderStageCreateInfo{
		sType:  uint32(vulkan.StructureTypePipelineShaderStageCreateInfo),
		stage:  uint32(vulkan.ShaderStageComputeBit),
		module: Handle(unsafe.Pointer(module)),
		pName:  a.CString(entry),
	}
	if subgroup > 0 {
		required := New[requiredSubgroupSize](&a)
		required.sType, required.size = typeRequiredSubgroupSize, subgroup
		info.stage.pNext, info.stage.flags = Addr(required), requireFullSubgroups
	}
	if len(spec) > 0 {
		entries := Slice[specializationMapEntry](&a, len(spec))
		data := Slice[uint32](&a, len(spec))
		i := 0
		for id, v := range spec {
			entries[i] = specializationMapEntry{id, uint32(4 * i), 4}
			data[i] = v
			i++
		}
		s := New[specializationInfo](&a)
		*s = specializationInfo{uint32(len(spec)), Addr(&entries[0]), uintptr(4 * len(spec)), Addr(&data[0])}
		info.stage.pSpecializationInfo = Addr(s)
	}
	out := New[vulkan.Pipeline](&a)
	r := in.result("vkCreateComputePipelines", dev(device), Handle(unsafe.Pointer(cache)), 1, uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}

type descriptorPoolCreateInfo struct {
	sType         uint32
	_             uintptr // pNext
	_             uint32  // flags
	maxSets       uint32
	poolSizeCount uint32
	pPoolSizes    uintptr
}

type descriptorPoolSize struct{ descriptorType, count uint32 }

// CreateDescriptorPool makes a pool for that many sets and, in all, storage
// and uniform texel buffers.
func (in Instance) CreateDescriptorPool(device vulkan.Device, sets, buffers, texels int) (vulkan.DescriptorPool, vulkan.Result) {
	var a Arena
	defer a.Free()
	sizes := Slice[descriptorPoolSize](&a, 2)
	sizes[0] = descriptorPoolSize{uint32(vulkan.DescriptorTypeStorageBuffer), uint32(max(buffers, 1))}
	sizes[1] = descriptorPoolSize{uint32(vulkan.DescriptorTypeUniformTexelBuffer), uint32(max(texels, 1))}
	info := New[descriptorPoolCreateInfo](&a)
	info.sType = uint32(vulkan.StructureTypeDescriptorPoolCreateInfo)
	info.maxSets = uint32(max(sets, 1))
	info.poolSizeCount = uint32(len(sizes))
	info.pPoolSizes = Addr(&sizes[0])
	out := New[vulkan.DescriptorPool](&a)
	r := in.result("vkCreateDescriptorPool", dev(device), uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}

type bufferViewCreateInfo struct {
	sType         uint32
	_             uintptr // pNext
	_             uint32  // flags
	buffer        uint64
	format        uint32
	offset, bytes uint64
}

// CreateBufferView makes a view of a byte range as texels of the format.
func (in Instance) CreateBufferView(device vulkan.Device, buffer vulkan.Buffer, format vulkan.Format, offset, bytes int64) (vulkan.BufferView, vulkan.Result) {
	var a Arena
	defer a.Free()
	info := New[bufferViewCreateInfo](&a)
	info.sType = uint32(vulkan.StructureTypeBufferViewCreateInfo)
	info.buffer = Handle(unsafe.Pointer(buffer))
	info.format = uint32(format)
	info.offset, info.bytes = uint64(offset), uint64(bytes)
	out := New[vulkan.BufferView](&a)
	r := in.result("vkCreateBufferView", dev(device), uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}
