package vk

import (
	"maps"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// Structure types that are newer than the binding.
const (
	typeFeatures2                    = 1000059000
	typeProperties2                  = 1000059001
	typeMemoryProperties2            = 1000059006
	typeIDProperties                 = 1000071004
	typeFloat16Int8Features          = 1000082000
	type16BitStorageFeatures         = 1000083000
	typeSubgroupProperties           = 1000094000
	typeBfloat16Features             = 1000141000
	typeMultiprocessorProperties     = 1000154001
	typeMaintenance3Properties       = 1000168000
	type8BitStorageFeatures          = 1000177000
	typeDriverProperties             = 1000196000
	typeTimelineSemaphoreFeatures    = 1000207000
	typeMemoryModelFeatures          = 1000211000
	typeSubgroupSizeProperties       = 1000225000
	typeRequiredSubgroupSize         = 1000225001
	typeSubgroupSizeFeatures         = 1000225002
	typeComputeUnitProperties        = 1000227000
	typeMemoryBudgetProperties       = 1000237000
	typeBufferDeviceAddressFeatures  = 1000257000
	typeExecutableFeatures           = 1000269000
	typePipelineInfo                 = 1000269001
	typeExecutableProperties         = 1000269002
	typeExecutableInfo               = 1000269003
	typeExecutableStatistic          = 1000269004
	typeIntegerDotProductFeatures    = 1000280000
	typeMaintenance4Features         = 1000413000
	typeMaintenance4Properties       = 1000413001
	typeCooperativeMatrixFeatures    = 1000506000
	typeCooperativeMatrixProperties  = 1000506001
	typeMatrix2Features              = 1000593000
	typeFlexibleMatrixProperties     = 1000593001
	typeMatrix2Properties            = 1000593002
	memoryPropertiesBytes            = 520
	coreFeatures                     = 55
	featureMembers                   = 8 // most members of a structure of features, rounded up
	featureFloat64, featureInt64     = 39, 40
	featureInt16                     = 41
	driverNameBytes, driverInfoBytes = 256, 256
)

// chain links structures through their pNext fields.
type chain struct {
	arena Arena
	tail  *header
}

type header struct {
	sType uint32
	pNext uintptr
}

// link appends a structure of the given type, a header and then a T.
func link[T any](c *chain, sType uint32) *T {
	s := New[struct {
		header
		body T
	}](&c.arena)
	s.sType = sType
	if c.tail != nil {
		c.tail.pNext = Addr(s)
	}
	c.tail = &s.header
	return &s.body
}

// Properties are a physical device's properties beyond Vulkan 1.0.
type Properties struct {
	DeviceUUID, DriverUUID   [16]byte
	DriverName, DriverInfo   string
	SubgroupSize             uint32
	MinSubgroup, MaxSubgroup uint32 // equal to SubgroupSize where it cannot vary
	MaxAllocation            uint64 // bytes of one vkAllocateMemory
	MaxBuffer                uint64 // bytes of one buffer; MaxAllocation where the driver does not say
	RequiredSubgroup         bool   // compute pipelines may ask for a size from MinSubgroup to MaxSubgroup
	Units                    uint32 // multiprocessors or compute units; 0 where the driver does not say
	Matrix2                  Matrix2
}

// Matrix2 are the limits of VK_NV_cooperative_matrix2, zero without it.
type Matrix2 struct {
	MaxWorkgroup uint32 // invocations of a workgroup that shares a matrix
	MaxDimension uint32 // rows or columns of a matrix
	SharedBytes  uint32 // shared memory that the driver takes of a workgroup that shares a matrix
}

// Support says what a physical device knows: its API version (at least 1.1)
// and extensions.
type Support struct {
	Version    uint32
	Extensions map[string]bool
}

// newest are the extensions that layers of the last years may not know, with the
// version of Vulkan's headers that brought them.
var newest = map[string]uint32{
	"VK_KHR_cooperative_matrix": vulkan.MakeVersion(1, 3, 255),
	"VK_NV_cooperative_matrix2": vulkan.MakeVersion(1, 3, 300),
	"VK_KHR_shader_bfloat16":    vulkan.MakeVersion(1, 4, 311),
}

// Under leaves out what a layer written for that version would take for mistakes.
func (s Support) Under(layer uint32) Support {
	known := maps.Clone(s.Extensions)
	for name, since := range newest {
		if layer < since {
			delete(known, name)
		}
	}
	return Support{s.Version, known}
}

// has reports an extension, or the core version that took it in.
func (s Support) has(extension string, major, minor int) bool {
	return s.Extensions[extension] || major > 0 && s.Version >= vulkan.MakeVersion(major, minor, 0)
}

// Properties queries a physical device of API version 1.1 or newer.
func (in Instance) Properties(device vulkan.PhysicalDevice, s Support) Properties {
	var c chain
	defer c.arena.Free()
	type properties [103]uint64 // VkPhysicalDeviceProperties
	first := link[properties](&c, typeProperties2)
	id := link[struct {
		deviceUUID, driverUUID [16]byte
		luid                   [8]byte
		nodeMask, luidValid    uint32
	}](&c, typeIDProperties)
	subgroup := link[struct{ size, stages, operations, quad uint32 }](&c, typeSubgroupProperties)
	m3 := link[struct {
		maxPerSet     uint32
		maxAllocation uint64
	}](&c, typeMaintenance3Properties)
	type driverProperties struct {
		_    uint32 // id
		name [driverNameBytes]byte
		info [driverInfoBytes]byte
		_    [4]byte // conformance
	}
	driver := new(driverProperties)
	if s.has("VK_KHR_driver_properties", 1, 2) {
		driver = link[driverProperties](&c, typeDriverProperties)
	}
	type sizeProperties struct{ min, max, _, stages uint32 }
	size := new(sizeProperties)
	if s.has("VK_EXT_subgroup_size_control", 1, 3) {
		size = link[sizeProperties](&c, typeSubgroupSizeProperties)
	}
	buffer := new(uint64)
	if s.has("VK_KHR_maintenance4", 1, 3) {
		buffer = link[uint64](&c, typeMaintenance4Properties)
	}
	matrix := new(Matrix2)
	if s.has("VK_NV_cooperative_matrix2", 0, 0) {
		matrix = link[Matrix2](&c, typeMatrix2Properties)
	}
	units := new(uint32)
	if s.has("VK_NV_shader_sm_builtins", 0, 0) {
		units = &link[struct{ multiprocessors, warps uint32 }](&c, typeMultiprocessorProperties).multiprocessors
	} else if s.has("VK_AMD_shader_core_properties2", 0, 0) {
		units = &link[struct{ features, computeUnits uint32 }](&c, typeComputeUnitProperties).computeUnits
	}
	in.call("vkGetPhysicalDeviceProperties2", Handle(unsafe.Pointer(device)), uint64(bodyHeader(first)))
	p := Properties{
		DeviceUUID: id.deviceUUID, DriverUUID: id.driverUUID,
		DriverName: cstring(driver.name[:]), DriverInfo: cstring(driver.info[:]),
		SubgroupSize: subgroup.size, MinSubgroup: size.min, MaxSubgroup: size.max,
		MaxAllocation: m3.maxAllocation, MaxBuffer: *buffer,
		RequiredSubgroup: size.stages&uint32(vulkan.ShaderStageComputeBit) != 0,
		Units:            *units,
		Matrix2:          *matrix,
	}
	if p.MinSubgroup == 0 {
		p.MinSubgroup, p.MaxSubgroup = p.SubgroupSize, p.SubgroupSize
	}
	if p.MaxBuffer == 0 {
		p.MaxBuffer = p.MaxAllocation
	}
	return p
}

// bodyHeader is the address of the structure that a body from link is in.
func bodyHeader[T any](body *T) uintptr {
	return Addr(body) - unsafe.Sizeof(header{})
}

// cstring is the text before the first zero byte.
func cstring(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Features are the optional features this program knows of.
type Features struct {
	Float64, Int64, Int16 bool
	Storage16, Storage8   bool // 16- and 8-bit elements in storage buffers
	Float16, Int8         bool // arithmetic in shaders
	BFloat16              bool
	BFloat16Matrix        bool // as the component of cooperative matrices
	TimelineSemaphore     bool
	BufferDeviceAddress   bool
	SubgroupSizeControl   bool
	FullSubgroups         bool
	MemoryModel           bool
	CooperativeMatrix     bool
	Matrix2               Matrix2Features
	Maintenance4          bool // workgroup sizes as modules for Vulkan 1.3 say them
	IntegerDotProduct     bool
	ExecutableProperties  bool // what the driver's compiler made of a pipeline
}

// Matrix2Features are what VK_NV_cooperative_matrix2 may offer; drivers have some
// of it.
type Matrix2Features struct {
	WorkgroupScope, FlexibleDimensions, Reductions, Conversions, PerElement, TensorAddressing, BlockLoads bool
}

// extension is an optional structure of features: the extension that brought it,
// the core version that took it in (0.0: none), and what its first members say.
type extension struct {
	sType        uint32
	name         string
	major, minor int
	members      func(f *Features) []*bool
}

var extensions = []extension{
	{type16BitStorageFeatures, "VK_KHR_16bit_storage", 1, 1, func(f *Features) []*bool { return []*bool{&f.Storage16} }},
	{type8BitStorageFeatures, "VK_KHR_8bit_storage", 1, 2, func(f *Features) []*bool { return []*bool{&f.Storage8} }},
	{typeFloat16Int8Features, "VK_KHR_shader_float16_int8", 1, 2, func(f *Features) []*bool { return []*bool{&f.Float16, &f.Int8} }},
	{typeBfloat16Features, "VK_KHR_shader_bfloat16", 0, 0, func(f *Features) []*bool { return []*bool{&f.BFloat16, nil, &f.BFloat16Matrix} }},
	{typeTimelineSemaphoreFeatures, "VK_KHR_timeline_semaphore", 1, 2, func(f *Features) []*bool { return []*bool{&f.TimelineSemaphore} }},
	{typeBufferDeviceAddressFeatures, "VK_KHR_buffer_device_address", 1, 2, func(f *Features) []*bool { return []*bool{&f.BufferDeviceAddress} }},
	{typeSubgroupSizeFeatures, "VK_EXT_subgroup_size_control", 1, 3, func(f *Features) []*bool { return []*bool{&f.SubgroupSizeControl, &f.FullSubgroups} }},
	{typeMemoryModelFeatures, "VK_KHR_vulkan_memory_model", 1, 2, func(f *Features) []*bool { return []*bool{&f.MemoryModel} }},
	{typeCooperativeMatrixFeatures, "VK_KHR_cooperative_matrix", 0, 0, func(f *Features) []*bool { return []*bool{&f.CooperativeMatrix} }},
	{typeMatrix2Features, "VK_NV_cooperative_matrix2", 0, 0, func(f *Features) []*bool {
		m := &f.Matrix2
		return []*bool{&m.WorkgroupScope, &m.FlexibleDimensions, &m.Reductions, &m.Conversions, &m.PerElement, &m.TensorAddressing, &m.BlockLoads}
	}},
	{typeMaintenance4Features, "VK_KHR_maintenance4", 1, 3, func(f *Features) []*bool { return []*bool{&f.Maintenance4} }},
	{typeIntegerDotProductFeatures, "VK_KHR_shader_integer_dot_product", 1, 3, func(f *Features) []*bool { return []*bool{&f.IntegerDotProduct} }},
	{typeExecutableFeatures, "VK_KHR_pipeline_executable_properties", 0, 0, func(f *Features) []*bool { return []*bool{&f.ExecutableProperties} }},
}

// core are the features of Vulkan 1.0, by their place in VkPhysicalDeviceFeatures.
func (f *Features) core() map[int]*bool {
	return map[int]*bool{featureFloat64: &f.Float64, featureInt64: &f.Int64, featureInt16: &f.Int16}
}

// Features queries a physical device of API version 1.1 or newer.
func (in Instance) Features(device vulkan.PhysicalDevice, s Support) Features {
	var c chain
	defer c.arena.Free()
	var f Features
	core := link[[coreFeatures]uint32](&c, typeFeatures2)
	bodies := make([]*[featureMembers]uint32, len(extensions))
	for i, e := range extensions {
		if s.has(e.name, e.major, e.minor) {
			bodies[i] = link[[featureMembers]uint32](&c, e.sType)
		}
	}
	in.call("vkGetPhysicalDeviceFeatures2", Handle(unsafe.Pointer(device)), uint64(bodyHeader(core)))
	for at, to := range f.core() {
		*to = core[at] != 0
	}
	for i, e := range extensions {
		if bodies[i] == nil {
			continue
		}
		for j, to := range e.members(&f) {
			if to != nil {
				*to = bodies[i][j] != 0
			}
		}
	}
	return f
}

// MemoryBudget is the memory each heap can still give this process and what
// the process uses of it, in bytes; ok is false without VK_EXT_memory_budget.
func (in Instance) MemoryBudget(device vulkan.PhysicalDevice, s Support) (budget, usage [16]uint64, ok bool) {
	if !s.has("VK_EXT_memory_budget", 0, 0) {
		return
	}
	var c chain
	defer c.arena.Free()
	first := link[[memoryPropertiesBytes / 8]uint64](&c, typeMemoryProperties2)
	b := link[[2][16]uint64](&c, typeMemoryBudgetProperties)
	_, ok = in.call("vkGetPhysicalDeviceMemoryProperties2", Handle(unsafe.Pointer(device)), uint64(bodyHeader(first)))
	return b[0], b[1], ok
}
