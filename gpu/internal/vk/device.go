package vk

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

type deviceQueueCreateInfo struct {
	sType            uint32
	_                uintptr // pNext
	_                uint32  // flags
	queueFamilyIndex uint32
	queueCount       uint32
	pQueuePriorities uintptr
}

type deviceCreateInfo struct {
	sType                   uint32
	pNext                   uintptr
	_                       uint32 // flags
	queueCreateInfoCount    uint32
	pQueueCreateInfos       uintptr
	_                       uint32  // enabledLayerCount
	_                       uintptr // ppEnabledLayerNames
	enabledExtensionCount   uint32
	ppEnabledExtensionNames uintptr
	_                       uintptr // pEnabledFeatures
}

// CreateDevice makes a logical device with one queue of the given family.
// Features holds what to enable; only those a caller set are asked for.
func (in Instance) CreateDevice(physical vulkan.PhysicalDevice, family uint32, extensions []string, enable Features) (vulkan.Device, vulkan.Result) {
	var c chain
	defer c.arena.Free()
	a := &c.arena
	core := link[[coreFeatures]uint32](&c, typeFeatures2)
	set := func(p *uint32, on bool) {
		if on {
			*p = 1
		}
	}
	set(&core[featureFloat64], enable.Float64)
	set(&core[featureInt64], enable.Int64)
	set(&core[featureInt16], enable.Int16)
	feature := func(sType uint32, on ...bool) {
		var some bool
		for _, f := range on {
			some = some || f
		}
		if !some {
			return
		}
		body := link[[4]uint32](&c, sType)
		for i, f := range on {
			set(&body[i], f)
		}
	}
	feature(type16BitStorageFeatures, enable.Storage16)
	feature(type8BitStorageFeatures, enable.Storage8)
	feature(typeFloat16Int8Features, enable.Float16, enable.Int8)
	feature(typeBfloat16Features, enable.BFloat16)
	feature(typeTimelineSemaphoreFeatures, enable.TimelineSemaphore)
	feature(typeBufferDeviceAddressFeatures, enable.BufferDeviceAddress)
	feature(typeSubgroupSizeFeatures, enable.SubgroupSizeControl, enable.FullSubgroups)
	feature(typeMemoryModelFeatures, enable.MemoryModel)
	feature(typeCooperativeMatrixFeatures, enable.CooperativeMatrix)
	feature(typeIntegerDotProductFeatures, enable.IntegerDotProduct)

	priority := New[float32](a)
	*priority = 1
	queue := New[deviceQueueCreateInfo](a)
	queue.sType = uint32(vulkan.StructureTypeDeviceQueueCreateInfo)
	queue.queueFamilyIndex = family
	queue.queueCount = 1
	queue.pQueuePriorities = Addr(priority)
	info := New[deviceCreateInfo](a)
	info.sType = uint32(vulkan.StructureTypeDeviceCreateInfo)
	info.pNext = bodyHeader(core)
	info.queueCreateInfoCount = 1
	info.pQueueCreateInfos = Addr(queue)
	info.enabledExtensionCount = uint32(len(extensions))
	info.ppEnabledExtensionNames = a.CStrings(extensions)
	out := New[vulkan.Device](a)
	r := in.result("vkCreateDevice", Handle(unsafe.Pointer(physical)), uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}

// QueueFamily describes one family of a device's queues.
type QueueFamily struct {
	Flags         vulkan.QueueFlagBits
	Count         uint32
	TimestampBits uint32 // 0: no timestamps
}

type queueFamilyProperties struct {
	flags, count, timestampBits uint32
	_                           [3]uint32 // granularity
}

// QueueFamilies lists a physical device's queue families.
func (in Instance) QueueFamilies(physical vulkan.PhysicalDevice) []QueueFamily {
	var a Arena
	defer a.Free()
	n := New[uint32](&a)
	p := Handle(unsafe.Pointer(physical))
	in.call("vkGetPhysicalDeviceQueueFamilyProperties", p, uint64(Addr(n)), 0)
	list := Slice[queueFamilyProperties](&a, int(*n))
	in.call("vkGetPhysicalDeviceQueueFamilyProperties", p, uint64(Addr(n)), uint64(Addr(unsafe.SliceData(list))))
	families := make([]QueueFamily, 0, len(list))
	for _, f := range list[:*n] {
		families = append(families, QueueFamily{vulkan.QueueFlagBits(f.flags), f.count, f.timestampBits})
	}
	return families
}

type extensionProperties struct {
	name [256]byte
	_    uint32 // version
}

// DeviceExtensions lists the extensions of a physical device.
func (in Instance) DeviceExtensions(physical vulkan.PhysicalDevice) map[string]bool {
	names := make(map[string]bool)
	enumerate(func(count, list uint64) vulkan.Result {
		return in.result("vkEnumerateDeviceExtensionProperties", Handle(unsafe.Pointer(physical)), 0, count, list)
	}, func(e *extensionProperties) { names[cstring(e.name[:])] = true })
	return names
}

// InstanceExtensions lists the extensions of the loader, or of a layer where
// one is named.
func InstanceExtensions(layer string) map[string]bool {
	var a Arena
	defer a.Free()
	var name uint64
	if layer != "" {
		name = uint64(a.CString(layer))
	}
	names := make(map[string]bool)
	enumerate(func(count, list uint64) vulkan.Result {
		return Instance{}.result("vkEnumerateInstanceExtensionProperties", name, count, list)
	}, func(e *extensionProperties) { names[cstring(e.name[:])] = true })
	return names
}

type layerProperties struct {
	name [256]byte
	_, _ uint32    // specVersion, implementationVersion
	_    [256]byte // description
}

// Layers lists the layers that the loader knows.
func Layers() map[string]bool {
	names := make(map[string]bool)
	enumerate(func(count, list uint64) vulkan.Result {
		return Instance{}.result("vkEnumerateInstanceLayerProperties", count, list)
	}, func(l *layerProperties) { names[cstring(l.name[:])] = true })
	return names
}

// enumerate runs Vulkan's two-call idiom: ask for the count, then for the list.
func enumerate[T any](get func(count, list uint64) vulkan.Result, each func(*T)) {
	var a Arena
	defer a.Free()
	n := New[uint32](&a)
	if get(uint64(Addr(n)), 0) != vulkan.Success || *n == 0 {
		return
	}
	list := Slice[T](&a, int(*n))
	if r := get(uint64(Addr(n)), uint64(Addr(&list[0]))); r != vulkan.Success && r != vulkan.Incomplete {
		return
	}
	for i := range list[:*n] {
		each(&list[i])
	}
}
