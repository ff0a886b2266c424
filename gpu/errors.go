package gpu

import (
	"errors"
	"fmt"

	vulkan "github.com/vulkan-go/vulkan"
)

// Errors that callers test for with errors.Is.
var (
	ErrNoDevice    = errors.New("no usable Vulkan device")
	ErrOutOfMemory = errors.New("out of memory")
	ErrDeviceLost  = errors.New("the Vulkan device was lost")
	ErrRefused     = errors.New("the driver refuses the shader") // whatever reason it gives
)

// resultNames are the results that a compute program can meet.
var resultNames = map[vulkan.Result]string{
	vulkan.NotReady:                  "not ready",
	vulkan.Timeout:                   "timeout",
	vulkan.ErrorOutOfHostMemory:      "out of host memory",
	vulkan.ErrorOutOfDeviceMemory:    "out of device memory",
	vulkan.ErrorInitializationFailed: "initialization failed",
	vulkan.ErrorDeviceLost:           "device lost",
	vulkan.ErrorMemoryMapFailed:      "memory map failed",
	vulkan.ErrorLayerNotPresent:      "layer not present",
	vulkan.ErrorExtensionNotPresent:  "extension not present",
	vulkan.ErrorFeatureNotPresent:    "feature not present",
	vulkan.ErrorIncompatibleDriver:   "incompatible driver",
	vulkan.ErrorTooManyObjects:       "too many objects",
	vulkan.ErrorFragmentedPool:       "fragmented pool",
}

// check turns a Vulkan result into an error that says what was tried.
func check(what string, r vulkan.Result) error {
	if r == vulkan.Success {
		return nil
	}
	name, ok := resultNames[r]
	if !ok {
		name = fmt.Sprintf("Vulkan result %d", int32(r))
	}
	switch r {
	case vulkan.ErrorDeviceLost:
		return fmt.Errorf("%s: %w", what, ErrDeviceLost)
	case vulkan.ErrorOutOfHostMemory, vulkan.ErrorOutOfDeviceMemory:
		return fmt.Errorf("%s: %w (%s)", what, ErrOutOfMemory, name)
	}
	return fmt.Errorf("%s: %s", what, name)
}
