package gpu

import (
	"fmt"
	"sort"
	"strings"
)

// Features is a set of what a device can do beyond the scalar float32 that
// every Vulkan device offers.
type Features uint32

// The features that a kernel's variant may need.
const (
	Float16  Features = 1 << iota // 16-bit float arithmetic
	BFloat16                      // bfloat16 arithmetic and cooperative matrices
	Storage16
	Int8
	Storage8
	SubgroupSizeControl
	BufferDeviceAddress
	TimelineSemaphore
	MemoryModel
	CoopMatrix       // VK_KHR_cooperative_matrix
	CoopMatrix2      // of VK_NV_cooperative_matrix2: workgroup scope, flexible dimensions, tensor addressing, functions of elements
	CoopConversions  // of the same: sums become operands
	TransferQueue    // a queue family that only copies
	SharedMemory     // quick shared memory and barriers: the device is no CPU
	UniformLoads     // see llvmpipe.go
	QuickBroadcasts  // the same
	OrderedSubgroups // the same
)

var featureNames = map[string]Features{
	"fp16":                Float16,
	"bf16":                BFloat16,
	"storage16":           Storage16,
	"int8":                Int8,
	"storage8":            Storage8,
	"subgroupsizecontrol": SubgroupSizeControl,
	"bda":                 BufferDeviceAddress,
	"timeline":            TimelineSemaphore,
	"memorymodel":         MemoryModel,
	"coopmat":             CoopMatrix,
	"coopmat2":            CoopMatrix2,
	"coopconversions":     CoopConversions,
	"transferqueue":       TransferQueue,
	"shared":              SharedMemory,
	"uniformloads":        UniformLoads,
	"broadcasts":          QuickBroadcasts,
	"orderedsubgroups":    OrderedSubgroups,
}

// ParseFeatures reads a comma-separated list such as "coopmat,fp16".
func ParseFeatures(list string) (Features, error) {
	var f Features
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		bit, ok := featureNames[strings.ToLower(name)]
		if !ok {
			return 0, fmt.Errorf("gpu: unknown feature %q: known are %s", name, ^Features(0))
		}
		f |= bit
	}
	return f, nil
}

// String lists the features by name.
func (f Features) String() string {
	var names []string
	for name, bit := range featureNames {
		if f&bit != 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return strings.Join(names, ",")
}

// Caps are the properties of a device that recording and planning need. A
// test may make one by hand.
type Caps struct {
	Kind           Kind
	Features       Features
	MaxBinding     int64     // bytes that one storage-buffer binding may span
	MaxBuffer      int64     // bytes of one buffer, which no tensor may exceed
	MaxTexels      uint32    // texels (16 bytes) that a samplerBuffer may span
	OffsetAlign    int64     // alignment of a binding's offset in bytes
	MaxGroups      [3]uint32 // workgroups of a dispatch, by axis
	MaxInvocations uint32    // invocations of a workgroup
	MaxSize        [3]uint32 // the same by axis
	SharedBytes    uint32    // shared memory of a workgroup
	MaxPush        uint32    // bytes of push constants
	Units          uint32    // multiprocessors or compute units, where the driver tells; else 0
	SubgroupSize   uint32
	MinSubgroup    uint32 // with SubgroupSizeControl, what a shader may ask for
	MaxSubgroup    uint32
	Products       []MatrixProduct // with CoopMatrix: the preferred first

	WorkgroupProducts []WorkgroupProduct // with CoopMatrix2
	MaxMatrix         int                // with CoopMatrix2: most rows or columns of a workgroup's matrix
	ReservedShared    uint32             // with CoopMatrix2: shared memory that the driver takes of such a workgroup

	Choices *Choices // of kernels' variants; nil: the first that fits
}

// MinimalCaps are the least limits that the kernels are written for; they are
// those of the Vulkan specification except MaxInvocations and SharedBytes,
// which every known driver exceeds.
var MinimalCaps = Caps{
	MaxBinding:     128 << 20,
	MaxBuffer:      1 << 30,
	MaxTexels:      1 << 16,
	OffsetAlign:    256,
	MaxGroups:      [3]uint32{65535, 65535, 65535},
	MaxInvocations: 256,
	MaxSize:        [3]uint32{256, 256, 64},
	SharedBytes:    16 << 10,
	MaxPush:        128,
	SubgroupSize:   4,
	MinSubgroup:    4,
	MaxSubgroup:    4,
}
