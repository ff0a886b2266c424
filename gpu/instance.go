package gpu

import (
	"errors"
	"fmt"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

// ErrNoLoader means that the Vulkan loader library is not installed.
var ErrNoLoader = vk.ErrNoLoader

// installDriver is the remedy for a machine without any driver.
const installDriver = "install the GPU's Vulkan driver, or Mesa's CPU driver (on Debian and Ubuntu: apt install mesa-vulkan-drivers)"

// instance is a Vulkan instance, with the validation layer's messages where
// validation was asked for.
type instance struct {
	handle    vulkan.Instance
	version   uint32 // of Vulkan, that was asked for
	layer     uint32 // version of Vulkan that the validation layer was written for; 0 without
	api       vk.Instance
	messenger *vk.Messenger // nil without validation
}

func openInstance(validate bool) (*instance, error) {
	if err := vk.Load(); err != nil {
		return nil, fmt.Errorf("gpu: %w", err)
	}
	// 1.1 brings the extensible queries; newer versions are asked for so that
	// SPIR-V and features of theirs may be used where the device has them.
	version := min(vk.Version(), vulkan.MakeVersion(1, 3, 0))
	if version < vulkan.MakeVersion(1, 1, 0) {
		return nil, fmt.Errorf("gpu: %w: the Vulkan loader knows only version 1.0; install a newer libvulkan1", ErrNoDevice)
	}
	app := vulkan.ApplicationInfo{
		SType:            vulkan.StructureTypeApplicationInfo,
		PApplicationName: "dino-vk\x00",
		ApiVersion:       version,
	}
	info := vulkan.InstanceCreateInfo{SType: vulkan.StructureTypeInstanceCreateInfo, PApplicationInfo: &app}
	defer info.Free()
	in := &instance{version: version}
	if validate {
		if in.layer = vk.Layers()[vk.ValidationLayer]; in.layer == 0 {
			return nil, fmt.Errorf("gpu: validation was asked for but %s is not installed (on Debian and Ubuntu: apt install vulkan-validationlayers)", vk.ValidationLayer)
		}
		in.messenger = vk.NewMessenger()
		info.PNext = in.messenger.Chain()
		info.EnabledLayerCount = 1
		info.PpEnabledLayerNames = []string{vk.ValidationLayer + "\x00"}
		info.EnabledExtensionCount = 1
		info.PpEnabledExtensionNames = []string{vk.DebugUtils + "\x00"}
	}
	// Results go into variables of their own: cgo forbids passing the address
	// of a field whose struct holds Go pointers.
	var created vulkan.Instance
	if r := vulkan.CreateInstance(&info, nil, &created); r != vulkan.Success {
		if in.messenger != nil {
			in.messenger.Free()
		}
		if r == vulkan.ErrorIncompatibleDriver {
			return nil, fmt.Errorf("gpu: %w: no Vulkan driver is installed; %s", ErrNoDevice, installDriver)
		}
		return nil, fmt.Errorf("gpu: %w", check("create instance", r))
	}
	in.handle, in.api = created, vk.Wrap(created)
	err := vk.InitInstance(in.handle)
	if err == nil && validate {
		err = in.messenger.Attach(in.api)
	}
	if err != nil {
		in.close()
		return nil, fmt.Errorf("gpu: %w", err)
	}
	return in, nil
}

// close destroys the instance and returns the messages not taken before, the
// leaks among them.
func (in *instance) close() []string {
	if in.messenger == nil {
		vulkan.DestroyInstance(in.handle, nil)
		return nil
	}
	in.messenger.Detach(in.api)
	vulkan.DestroyInstance(in.handle, nil)
	messages := in.messenger.Take()
	in.messenger.Free()
	return messages
}

// physicalDevices lists the devices of the instance.
func (in *instance) physicalDevices() ([]vulkan.PhysicalDevice, error) {
	var n uint32
	r := vulkan.EnumeratePhysicalDevices(in.handle, &n, nil)
	if r == vulkan.ErrorInitializationFailed || r == vulkan.Success && n == 0 {
		return nil, fmt.Errorf("%w: no Vulkan driver found a device; %s", ErrNoDevice, installDriver)
	}
	if err := check("list devices", r); err != nil {
		return nil, errors.Join(ErrNoDevice, err)
	}
	list := make([]vulkan.PhysicalDevice, n)
	if r := vulkan.EnumeratePhysicalDevices(in.handle, &n, list); r != vulkan.Success && r != vulkan.Incomplete {
		return nil, errors.Join(ErrNoDevice, check("list devices", r))
	}
	return list[:n], nil
}
