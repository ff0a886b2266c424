// Package vk holds the few things github.com/vulkan-go/vulkan lacks: opening
// the Vulkan loader at run time, calling entry points newer than the binding,
// and passing arrays of structures that the garbage collector cannot free
// while the driver reads them.
//
// The binding copies every slice of structures into C memory and lets a
// finalizer free the copy; the copy may die before the call returns, so any
// collection during vkQueueSubmit, vkUpdateDescriptorSets,
// vkCreateComputePipelines, vkCmdPipelineBarrier and about twenty others can
// free memory the driver is reading. Here those structures live in an [Arena]
// of C memory that is released only after the call, and the calls go through
// one trampoline.
//
// Handles are uint64 values and addresses uintptr values: none of them is
// memory that the garbage collector knows.
package vk
