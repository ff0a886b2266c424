package gpu

import (
	"errors"
	"strings"
	"testing"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

func fake(index int, name string, kind Kind, compute bool) candidate {
	return candidate{Info: Info{Index: index, Name: name, Caps: Caps{Kind: kind}, Compute: compute, DeviceUUID: UUID{15: byte(index + 1)}}}
}

func TestChoose(t *testing.T) {
	list := []candidate{
		fake(0, "llvmpipe (LLVM 15.0.6, 256 bits)", CPU, true),
		fake(1, "Radeon RX 7900", Discrete, true),
		fake(2, "Intel UHD 730", Integrated, true),
		fake(3, "GeForce RTX 3010", Discrete, true),
		fake(4, "Drawing Only 9000", Discrete, false),
	}
	for _, tc := range []struct {
		want string
		name string // of the chosen; empty: an error that lists the devices
	}{
		{"", "Radeon RX 7900"},
		{"0", "llvmpipe (LLVM 15.0.6, 256 bits)"},
		{"3", "GeForce RTX 3010"},
		{"uhd", "Intel UHD 730"},
		{"rtx 30", "GeForce RTX 3010"},
		{"00000000-0000-0000-0000-000000000002", "Radeon RX 7900"},
		{"00000000000000000000000000000003", "Intel UHD 730"},
		{"r", ""},       // several
		{"30", ""},      // a number is an index
		{"4", ""},       // cannot compute
		{"drawing", ""}, // nor by name
		{"voodoo", ""},
	} {
		c, err := choose(list, tc.want)
		if tc.name == "" {
			if !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "Intel UHD 730") {
				t.Errorf("choose(%q): %v, want ErrNoDevice and the list", tc.want, err)
			}
			continue
		}
		if err != nil || c.Name != tc.name {
			t.Errorf("choose(%q) = %v, %v, want %s", tc.want, c, err, tc.name)
		}
	}
	weak := []candidate{list[0], list[2]}
	if c, err := choose(weak, ""); err != nil || c.Kind != Integrated {
		t.Errorf("an integrated GPU must come before a CPU: %v, %v", c, err)
	}
}

func TestComputeFamily(t *testing.T) {
	const draw, compute, move = vulkan.QueueGraphicsBit, vulkan.QueueComputeBit, vulkan.QueueTransferBit
	for _, tc := range []struct {
		flags []vulkan.QueueFlagBits
		want  uint32
		ok    bool
	}{
		{[]vulkan.QueueFlagBits{draw | compute | move}, 0, true},
		{[]vulkan.QueueFlagBits{draw | compute, move, compute | move}, 2, true},
		{[]vulkan.QueueFlagBits{draw, draw | compute}, 1, true},
		{[]vulkan.QueueFlagBits{draw, move}, 0, false},
	} {
		var families []vk.QueueFamily
		for _, f := range tc.flags {
			families = append(families, vk.QueueFamily{Flags: f, Count: 1})
		}
		if got, _, ok := computeFamily(families); got != tc.want || ok != tc.ok {
			t.Errorf("computeFamily(%v) = %d, %v, want %d, %v", tc.flags, got, ok, tc.want, tc.ok)
		}
	}
}

// Of the families of real devices, that of the copy engines is taken, and none
// where copies are up to queues that have other work or to the video engines.
func TestTransferFamily(t *testing.T) {
	const draw, compute, move, sparse = vulkan.QueueGraphicsBit, vulkan.QueueComputeBit, vulkan.QueueTransferBit, vulkan.QueueSparseBindingBit
	const decode, encode, flow = 0x20, 0x40, 0x100
	for _, tc := range []struct {
		name  string
		flags []vulkan.QueueFlagBits
		want  uint32
		ok    bool
	}{
		{"NVIDIA", []vulkan.QueueFlagBits{draw | compute | move | sparse, move | sparse, compute | move | sparse, move | sparse | decode, move | sparse | encode, move | sparse | flow}, 1, true},
		{"AMD", []vulkan.QueueFlagBits{draw | compute | move | sparse, compute | move | sparse, decode, move | sparse}, 3, true},
		{"Intel", []vulkan.QueueFlagBits{draw | compute | move}, 0, false},
		{"video first", []vulkan.QueueFlagBits{move | decode, draw | compute | move}, 0, false},
	} {
		var families []vk.QueueFamily
		for _, f := range tc.flags {
			families = append(families, vk.QueueFamily{Flags: f, Count: 1})
		}
		if got, ok := transferFamily(families); got != tc.want || ok != tc.ok {
			t.Errorf("%s: family %d, %v, want %d, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestLargestHeap(t *testing.T) {
	for _, tc := range []struct {
		heaps []Heap
		want  int
	}{
		{[]Heap{{8, true}}, 0},
		{[]Heap{{64, false}, {8, true}}, 1},
		{[]Heap{{8, true}, {64, false}, {9, true}}, 2},
		{[]Heap{{8, false}, {9, false}}, 1},
	} {
		if got, bytes := largestHeap(tc.heaps); got != tc.want || bytes != tc.heaps[tc.want].Bytes {
			t.Errorf("largestHeap(%v) = %d, %d, want %d", tc.heaps, got, bytes, tc.want)
		}
	}
}
