package vk

import (
	"errors"
	"strings"
	"testing"
	"unsafe"
)

// The structures must be as large as vulkan_core.h makes them on 64-bit
// systems.
func TestLayouts(t *testing.T) {
	for _, tc := range []struct {
		name      string
		got, want uintptr
	}{
		{"VkSubmitInfo", unsafe.Sizeof(submitInfo{}), 72},
		{"VkDescriptorBufferInfo", unsafe.Sizeof(descriptorBufferInfo{}), 24},
		{"VkWriteDescriptorSet", unsafe.Sizeof(writeDescriptorSet{}), 64},
		{"VkMemoryBarrier", unsafe.Sizeof(memoryBarrier{}), 24},
		{"VkDescriptorSetLayoutBinding", unsafe.Sizeof(descriptorSetLayoutBinding{}), 24},
		{"VkDescriptorSetLayoutCreateInfo", unsafe.Sizeof(descriptorSetLayoutCreateInfo{}), 32},
		{"VkPipelineLayoutCreateInfo", unsafe.Sizeof(pipelineLayoutCreateInfo{}), 48},
		{"VkPushConstantRange", unsafe.Sizeof(pushConstantRange{}), 12},
		{"VkSpecializationMapEntry", unsafe.Sizeof(specializationMapEntry{}), 16},
		{"VkSpecializationInfo", unsafe.Sizeof(specializationInfo{}), 32},
		{"VkPipelineShaderStageCreateInfo", unsafe.Sizeof(pipelineShaderStageCreateInfo{}), 48},
		{"VkComputePipelineCreateInfo", unsafe.Sizeof(computePipelineCreateInfo{}), 96},
		{"VkDescriptorPoolCreateInfo", unsafe.Sizeof(descriptorPoolCreateInfo{}), 40},
		{"VkDeviceQueueCreateInfo", unsafe.Sizeof(deviceQueueCreateInfo{}), 40},
		{"VkDeviceCreateInfo", unsafe.Sizeof(deviceCreateInfo{}), 72},
		{"VkQueueFamilyProperties", unsafe.Sizeof(queueFamilyProperties{}), 24},
		{"VkExtensionProperties", unsafe.Sizeof(extensionProperties{}), 260},
		{"VkLayerProperties", unsafe.Sizeof(layerProperties{}), 520},
		{"VkDebugUtilsMessengerCreateInfoEXT", unsafe.Sizeof(messengerCreateInfo{}), 48},
		{"VkCooperativeMatrixPropertiesKHR", unsafe.Sizeof(reported[CooperativeMatrix]{}), 56},
		{"VkCooperativeMatrixFlexibleDimensionsPropertiesNV", unsafe.Sizeof(reported[FlexibleMatrix]{}), 56},
		{"VkPipelineShaderStageRequiredSubgroupSizeCreateInfo", unsafe.Sizeof(requiredSubgroupSize{}), 24},
		{"VkValidationFeaturesEXT", unsafe.Sizeof(validationFeaturesInfo{}), 48},
	} {
		if tc.got != tc.want {
			t.Errorf("%s has %d bytes, want %d", tc.name, tc.got, tc.want)
		}
	}
}

func TestChain(t *testing.T) {
	var c chain
	defer c.arena.Free()
	first := link[[3]uint32](&c, 1)
	second := link[uint64](&c, 2)
	h := (*header)(unsafe.Add(unsafe.Pointer(first), -int(unsafe.Sizeof(header{}))))
	if h.sType != 1 || h.pNext != bodyHeader(second) || c.tail.sType != 2 || c.tail.pNext != 0 {
		t.Errorf("the chain is %+v, then %+v", *h, *c.tail)
	}
}

func TestArena(t *testing.T) {
	var a Arena
	for _, v := range Slice[uint64](&a, 1000) {
		if v != 0 {
			t.Fatal("new memory is not zero")
		}
	}
	list := a.CStrings([]string{"one", ""})
	p := unsafe.Slice((*uintptr)(a.blocks[1]), 3)
	if list != Addr(&p[0]) || p[2] != 0 {
		t.Errorf("string list %v at %#x", p, list)
	}
	if s := cstring(unsafe.Slice((*byte)(a.blocks[2]), 4)); s != "one" {
		t.Errorf("first string is %q", s)
	}
	a.Free()
	if len(a.blocks) != 0 {
		t.Error("blocks remain after Free")
	}
}

func TestNoLoader(t *testing.T) {
	err := load([]string{"libvulkan-that-is-not-there.so"})
	if !errors.Is(err, ErrNoLoader) || !strings.Contains(err.Error(), "apt install libvulkan1") {
		t.Errorf("load = %v, want ErrNoLoader with the remedy", err)
	}
}
