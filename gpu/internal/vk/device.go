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

// CreateDevice makes a logical device with one queue of each of the given
// families and the features that enable holds.
func (in Instance) CreateDevice(physical vulkan.PhysicalDevice, families []uint32, s Support, enable Features) (vulkan.Device, vulkan.Result) {
	var c chain
	defer c.arena.Free()
	a := &c.arena
	core := link[[coreFeatures]uint32](&c, typeFeatures2)
	for at, on := range enable.core() {
		core[at] = word(*on)
	}
	var names []string
	for _, e := range extensions {
		var body *[featureMembers]uint32
		for i, on := range e.members(&enable) {
			if on == nil || !*on {
				continue
			}
			if body == nil {
				body = link[[featureMembers]uint32](&c, e.sType)
			}
			body[i] = 1
		}
		if body != nil && !(Support{Version: s.Version}).has(e.name, e.major, e.minor) {
			names = append(names, e.name)
		}
	}

	priority := New[float32](a)
	*priority = 1
	queues := Slice[deviceQueueCreateInfo](a, len(families))
	for i, family := range families {
		queues[i] = deviceQueueCreateInfo{
			sType:            uint32(vulkan.StructureTypeDeviceQueueCreateInfo),
			queueFamilyIndex: family,
			queueCount:       1,
			pQueuePriorities: Addr(priority),
		}
	}
	info := New[deviceCreateInfo](a)
	info.sType = uint32(vulkan.StructureTypeDeviceCreateInfo)
	info.pNext = bodyHeader(core)
	info.queueCreateInfoCount = uint32(len(queues))
	info.pQueueCreateInfos = Addr(unsafe.SliceData(queues))
	info.enabledExtensionCount = uint32(len(names))
	info.ppEnabledExtensionNames = a.CStrings(names)
	out := New[vulkan.Device](a)
	r := in.result("vkCreateDevice", Handle(unsafe.Pointer(physical)), uint64(Addr(info)), 0, uint64(Addr(out)))
	return *out, r
}

// word is a VkBool32.
func word(on bool) uint32 {
	if on {
		return 1
	}
	return 0
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
	name        [256]byte
	specVersion uint32
	_           uint32    // implementationVersion
	_           [256]byte // description
}

// Layers lists the layers that the loader knows, with the version of Vulkan
// that each was written for.
func Layers() map[string]uint32 {
	versions := make(map[string]uint32)
	enumerate(func(count, list uint64) vulkan.Result {
		return Instance{}.result("vkEnumerateInstanceLayerProperties", count, list)
	}, func(l *layerProperties) { versions[cstring(l.name[:])] = l.specVersion })
	return versions
}

// enumerate is query for structures that begin as zeros.
func enumerate[T any](get func(count, list uint64) vulkan.Result, each func(*T)) {
	query(get, func(*T) {}, each)
}

// query runs Vulkan's two-call idiom: ask for the count, then for the list,
// whose elements are prepared first.
func query[T any](get func(count, list uint64) vulkan.Result, prepare, each func(*T)) {
	var a Arena
	defer a.Free()
	n := New[uint32](&a)
	if get(uint64(Addr(n)), 0) != vulkan.Success || *n == 0 {
		return
	}
	list := Slice[T](&a, int(*n))
	for i := range list {
		prepare(&list[i])
	}
	if r := get(uint64(Addr(n)), uint64(Addr(&list[0]))); r != vulkan.Success && r != vulkan.Incomplete {
		return
	}
	for i := range list[:*n] {
		each(&list[i])
	}
}
