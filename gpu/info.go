package gpu

import (
	"fmt"
	"strings"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

// Heap is one of a device's memory heaps.
type Heap struct {
	Bytes int64
	Local bool // the device's own memory
}

// Kind is what a device is.
type Kind uint8

// Kinds of devices, the preferred first.
const (
	Discrete Kind = iota
	Integrated
	Virtual
	CPU
	Other
)

var kindNames = [...]string{"discrete GPU", "integrated GPU", "virtual GPU", "CPU", "other"}

func (k Kind) String() string { return kindNames[k] }

func kindOf(t vulkan.PhysicalDeviceType) Kind {
	switch t {
	case vulkan.PhysicalDeviceTypeDiscreteGpu:
		return Discrete
	case vulkan.PhysicalDeviceTypeIntegratedGpu:
		return Integrated
	case vulkan.PhysicalDeviceTypeVirtualGpu:
		return Virtual
	case vulkan.PhysicalDeviceTypeCpu:
		return CPU
	}
	return Other
}

// UUID is a device's or driver's identity, the same in every process.
type UUID [16]byte

// String writes 8-4-4-4-12 hexadecimal digits.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Info describes a device without opening it.
type Info struct {
	Caps
	Index         int // for Options.Device
	Name          string
	DeviceUUID    UUID
	DriverUUID    UUID
	Driver        string // e.g. "llvmpipe"
	DriverVersion string // as the driver writes it, e.g. "Mesa 22.3.6 (LLVM 15.0.6)"
	API           string // Vulkan version, e.g. "1.3.230"
	Heaps         []Heap
	MaxAllocation int64 // bytes of one allocation
	Compute       bool  // it has a compute queue and API 1.1, so that it can be opened
}

// candidate is a physical device with all that opening it needs.
type candidate struct {
	Info
	physical      vulkan.PhysicalDevice
	support       vk.Support
	features      vk.Features
	memoryTypes   []vulkan.MemoryPropertyFlagBits
	family        uint32  // of the compute queue
	copyFamily    uint32  // of the queue for uploads, where Features has TransferQueue
	timestampMask uint64  // valid bits; 0: no timestamps
	timestampNano float64 // nanoseconds per tick
}

// Devices lists the Vulkan devices of this machine in the loader's order. No
// loader is ErrNoLoader; no device is ErrNoDevice.
func Devices() ([]Info, error) {
	in, err := openInstance(false)
	if err != nil {
		return nil, err
	}
	defer in.close()
	list, err := in.candidates(0)
	if err != nil {
		return nil, fmt.Errorf("gpu: %w", err)
	}
	infos := make([]Info, len(list))
	for i, c := range list {
		if c.widen() { // as Open would have it
			return Devices()
		}
		infos[i] = c.Info
	}
	return infos, nil
}

// candidates describes every device, with the given features masked out.
func (in *instance) candidates(disable Features) ([]candidate, error) {
	physical, err := in.physicalDevices()
	if err != nil {
		return nil, err
	}
	list := make([]candidate, len(physical))
	for i, p := range physical {
		list[i] = in.describe(p, disable)
		list[i].Index = i
	}
	return list, nil
}

func (in *instance) describe(p vulkan.PhysicalDevice, disable Features) candidate {
	var props vulkan.PhysicalDeviceProperties
	vulkan.GetPhysicalDeviceProperties(p, &props)
	defer props.Free()
	props.Deref()
	props.Limits.Deref()
	limits := &props.Limits

	c := candidate{physical: p, support: vk.Support{Version: min(props.ApiVersion, in.version), Extensions: in.api.DeviceExtensions(p)}}
	if in.layer != 0 {
		c.support = c.support.Under(in.layer)
	}
	c.Name = vulkan.ToString(props.DeviceName[:])
	c.Kind = kindOf(props.DeviceType)
	c.API = versionString(props.ApiVersion)
	c.MaxBinding = int64(limits.MaxStorageBufferRange)
	c.MaxTexels = limits.MaxTexelBufferElements
	c.MaxGroups = limits.MaxComputeWorkGroupCount
	c.MaxInvocations = limits.MaxComputeWorkGroupInvocations
	c.MaxSize = limits.MaxComputeWorkGroupSize
	c.SharedBytes = limits.MaxComputeSharedMemorySize
	c.MaxPush = limits.MaxPushConstantsSize
	c.OffsetAlign = int64(limits.MinStorageBufferOffsetAlignment)
	c.timestampNano = float64(limits.TimestampPeriod)

	var mem vulkan.PhysicalDeviceMemoryProperties
	vulkan.GetPhysicalDeviceMemoryProperties(p, &mem)
	defer mem.Free()
	mem.Deref()
	for i := range mem.MemoryHeaps[:mem.MemoryHeapCount] {
		h := &mem.MemoryHeaps[i]
		h.Deref()
		c.Heaps = append(c.Heaps, Heap{int64(h.Size), vulkan.MemoryHeapFlagBits(h.Flags)&vulkan.MemoryHeapDeviceLocalBit != 0})
	}
	for i := range mem.MemoryTypes[:mem.MemoryTypeCount] {
		t := &mem.MemoryTypes[i]
		t.Deref()
		c.memoryTypes = append(c.memoryTypes, vulkan.MemoryPropertyFlagBits(t.PropertyFlags))
	}

	families := in.api.QueueFamilies(p)
	family, bits, ok := computeFamily(families)
	c.family = family
	copyFamily, copies := transferFamily(families)
	c.copyFamily = copyFamily
	c.Compute = ok && props.ApiVersion >= vulkan.MakeVersion(1, 1, 0)
	if bits > 0 {
		c.timestampMask = ^uint64(0) >> (64 - bits)
	}
	if props.ApiVersion < vulkan.MakeVersion(1, 1, 0) {
		return c
	}
	more := in.api.Properties(p, c.support)
	c.DeviceUUID, c.DriverUUID = more.DeviceUUID, more.DriverUUID
	c.Driver, c.DriverVersion = more.DriverName, more.DriverInfo
	c.SubgroupSize, c.MinSubgroup, c.MaxSubgroup = more.SubgroupSize, more.MinSubgroup, more.MaxSubgroup
	c.Units = more.Units
	c.MaxAllocation = int64(more.MaxAllocation)
	c.MaxBuffer = int64(min(more.MaxAllocation, more.MaxBuffer))
	c.features = in.api.Features(p, c.support)
	c.features.SubgroupSizeControl = c.features.SubgroupSizeControl && more.RequiredSubgroup
	c.Features = c.mask(disable)
	if copies {
		c.Features |= TransferQueue &^ disable
	}
	if c.Features&CoopMatrix != 0 {
		c.Products = matrixProducts(in.api.CooperativeMatrices(p, c.support))
	}
	if c.Features&CoopMatrix2 != 0 {
		c.WorkgroupProducts = workgroupProducts(in.api.FlexibleMatrices(p, c.support))
		c.MaxMatrix, c.ReservedShared = int(more.Matrix2.MaxDimension), more.Matrix2.SharedBytes
	}
	return c
}

// mask reduces what the device reports to what kernels ask for, less what is
// disabled, which it won't be opened with either.
func (c *candidate) mask(disable Features) Features {
	f := &c.features
	disable |= c.llvmpipeFaults()
	set := Features(0)
	if disable&CoopMatrix != 0 { // what the other extends
		f.Matrix2 = vk.Matrix2Features{}
	}
	for bit, members := range map[Features][]*bool{
		Float16:             {&f.Float16},
		BFloat16:            {&f.BFloat16, &f.BFloat16Matrix},
		Storage16:           {&f.Storage16},
		Int8:                {&f.Int8},
		Storage8:            {&f.Storage8},
		SubgroupSizeControl: {&f.SubgroupSizeControl, &f.FullSubgroups},
		BufferDeviceAddress: {&f.BufferDeviceAddress},
		TimelineSemaphore:   {&f.TimelineSemaphore},
		MemoryModel:         {&f.MemoryModel},
		CoopMatrix:          {&f.CooperativeMatrix, &f.Maintenance4},
		CoopMatrix2:         {&f.Matrix2.WorkgroupScope, &f.Matrix2.FlexibleDimensions, &f.Matrix2.TensorAddressing, &f.Matrix2.PerElement},
		CoopConversions:     {&f.Matrix2.Conversions},
	} {
		every := true
		for _, m := range members {
			*m = *m && disable&bit == 0
			every = every && *m
		}
		if every {
			set |= bit
		}
	}
	if c.Kind != CPU {
		set |= SharedMemory &^ disable
	}
	if set&BufferDeviceAddress != 0 {
		set |= c.llvmpipe() &^ disable
	}
	return set
}

// computeFamily prefers a queue family that computes but does not draw: on
// discrete GPUs it is not shared with the desktop.
func computeFamily(families []vk.QueueFamily) (index, timestampBits uint32, ok bool) {
	for _, avoid := range []vulkan.QueueFlagBits{vulkan.QueueGraphicsBit, 0} {
		for i, f := range families {
			if f.Count > 0 && f.Flags&vulkan.QueueComputeBit != 0 && f.Flags&avoid == 0 {
				return uint32(i), f.TimestampBits, true
			}
		}
	}
	return 0, 0, false
}

// transferFamily finds a queue family that does nothing but copy: the engines
// that discrete GPUs have for it. Those of the video engines are none.
func transferFamily(families []vk.QueueFamily) (index uint32, ok bool) {
	const beside = vulkan.QueueSparseBindingBit | vulkan.QueueProtectedBit
	for i, f := range families {
		if f.Count > 0 && f.Flags&^beside == vulkan.QueueTransferBit {
			return uint32(i), true
		}
	}
	return 0, false
}

func versionString(v uint32) string {
	return fmt.Sprintf("%d.%d.%d", v>>22, v>>12&0x3ff, v&0xfff)
}

// choose picks the device that want names by index, UUID (with or without
// hyphens) or part of the name; empty means the best kind: discrete,
// integrated, virtual, CPU. Several or no match is an error that lists what
// is there.
func choose(list []candidate, want string) (*candidate, error) {
	var found []*candidate
	for i := range list {
		if c := &list[i]; c.Compute && (want == "" || matches(c, want)) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0 && want == "":
		return nil, fmt.Errorf("%w: none of these has a compute queue and Vulkan 1.1:\n%s", ErrNoDevice, listing(list))
	case len(found) == 0:
		return nil, fmt.Errorf("%w: none matches %q; there are:\n%s", ErrNoDevice, want, listing(list))
	case len(found) > 1 && want != "":
		return nil, fmt.Errorf("%w: %q matches more than one:\n%s", ErrNoDevice, want, listing(list))
	}
	best := found[0]
	for _, c := range found[1:] {
		if c.Kind < best.Kind {
			best = c
		}
	}
	return best, nil
}

func matches(c *candidate, want string) bool {
	if fmt.Sprint(c.Index) == want {
		return true
	}
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	if plain(c.DeviceUUID.String()) == plain(want) {
		return true
	}
	// A bare number is an index only: "1" is not meant to find "RTX 3010".
	if strings.Trim(want, "0123456789") == "" {
		return false
	}
	return strings.Contains(strings.ToLower(c.Name), strings.ToLower(want))
}

func listing(list []candidate) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "  %d  %s (%v, Vulkan %s, UUID %s)\n", c.Index, c.Name, c.Kind, c.API, c.DeviceUUID)
	}
	return strings.TrimRight(b.String(), "\n")
}
