package vk

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// CooperativeMatrix is a product of matrices that a device makes at once, as
// VkCooperativeMatrixPropertiesKHR describes it: A (M, K) times B (K, N), added
// to C (M, N).
type CooperativeMatrix struct {
	M, N, K         uint32
	A, B, C, Result uint32 // VkComponentTypeKHR
	Saturating      uint32 // VkBool32: integer sums stop at their type's bounds
	Scope           uint32 // VkScopeKHR: whose invocations share the matrices
}

// Component types and the scope of a subgroup, as the specification numbers
// them.
const (
	ComponentFloat16, ComponentFloat32, ComponentFloat64 = 0, 1, 2
	ComponentBFloat16                                    = 1000141000
	ScopeWorkgroup, ScopeSubgroup                        = 2, 3
)

// FlexibleMatrix is a product of matrices of any multiples of M, N and K, as
// VkCooperativeMatrixFlexibleDimensionsPropertiesNV describes it.
type FlexibleMatrix struct {
	CooperativeMatrix
	Invocations uint32 // of a workgroup that shares the matrices
}

// reported is the structure in which a device describes a product.
type reported[T any] struct {
	header
	body T
}

// CooperativeMatrices lists the products of a physical device, the preferred
// first. Without VK_KHR_cooperative_matrix there are none.
func (in Instance) CooperativeMatrices(device vulkan.PhysicalDevice, s Support) []CooperativeMatrix {
	if !s.has("VK_KHR_cooperative_matrix", 0, 0) {
		return nil
	}
	return products[CooperativeMatrix](in, device, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR", typeCooperativeMatrixProperties)
}

// FlexibleMatrices lists the products of any size. Without
// VK_NV_cooperative_matrix2 there are none.
func (in Instance) FlexibleMatrices(device vulkan.PhysicalDevice, s Support) []FlexibleMatrix {
	if !s.has("VK_NV_cooperative_matrix2", 0, 0) {
		return nil
	}
	return products[FlexibleMatrix](in, device, "vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV", typeFlexibleMatrixProperties)
}

// products asks for a device's products by the named entry point.
func products[T any](in Instance, device vulkan.PhysicalDevice, entry string, sType uint32) []T {
	var a Arena
	defer a.Free()
	get := func(count *uint32, list uint64) vulkan.Result {
		return in.result(entry, Handle(unsafe.Pointer(device)), uint64(Addr(count)), list)
	}
	n := New[uint32](&a)
	if get(n, 0) != vulkan.Success || *n == 0 {
		return nil
	}
	found := Slice[reported[T]](&a, int(*n))
	for i := range found {
		found[i].sType = sType
	}
	if r := get(n, uint64(Addr(&found[0]))); r != vulkan.Success && r != vulkan.Incomplete {
		return nil
	}
	list := make([]T, 0, *n)
	for _, p := range found[:*n] {
		list = append(list, p.body)
	}
	return list
}
