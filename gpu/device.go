package gpu

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

// Options choose and configure a device. The zero value takes the best one.
type Options struct {
	// Device is an index, a UUID or a part of the name (any case). Empty means
	// $DINOVK_DEVICE, and without it the best kind of device: discrete,
	// integrated, virtual, CPU.
	Device string
	// Validate loads the Khronos validation layer with synchronization checks;
	// $DINOVK_VALIDATE=1 does too. See Device.ValidationMessages.
	Validate bool
	// Disable masks features, so that a strong device runs the kernels of a
	// weak one; the names in $DINOVK_DISABLE are added.
	Disable Features
	// CompileOnly opens a device for Inspect and nothing else, as Mesa's RADV
	// needs it that pretends to have a GPU: no memory is taken.
	CompileOnly bool
	// SplitUploads copies inputs by submissions of their own on a device without
	// TransferQueue too, on its one queue: for tests.
	SplitUploads bool
}

// Device is an opened Vulkan device with one compute queue, and one for uploads
// where it has TransferQueue. Its methods may be called from several goroutines.
type Device struct {
	candidate
	instance *instance
	handle   vulkan.Device
	api      vk.Instance

	compileOnly bool
	stuck       bool // a run did not end; see patiently

	queueLock sync.Mutex // vkQueueSubmit needs a queue to itself
	queue     vulkan.Queue
	uploads   vulkan.Queue // nil where the compute queue takes them

	submits, waits atomic.Int64
	time           deviceTime

	transfer  transfer
	pipelines pipelines
	tuning    *tuning // nil unless OpenTuned made it

	memory                  sync.Mutex
	memoryInUse, memoryPeak int64

	messages messages
}

// messages are the validation layer's, with the ones that came at Close.
type messages struct {
	sync.Mutex
	list []string
}

// Open opens a device. Errors are ErrNoLoader, ErrNoDevice, or say what the
// driver refused, each with its remedy where there is one.
func Open(o Options) (*Device, error) {
	if o.Device == "" {
		o.Device = os.Getenv("DINOVK_DEVICE")
	}
	if os.Getenv("DINOVK_VALIDATE") == "1" {
		o.Validate = true
	}
	disable, err := ParseFeatures(os.Getenv("DINOVK_DISABLE"))
	if err != nil {
		return nil, fmt.Errorf("gpu: DINOVK_DISABLE: %w", err)
	}
	in, err := openInstance(o.Validate)
	if err != nil {
		return nil, err
	}
	chosen, err := in.choose(o.Device, o.Disable|disable)
	if err == nil && chosen.widen() {
		in.close()
		return Open(o)
	}
	var d *Device
	if err == nil {
		d, err = in.open(chosen, o)
	}
	if err != nil {
		in.close()
		return nil, fmt.Errorf("gpu: %w", err)
	}
	return d, nil
}

func (in *instance) choose(name string, disable Features) (*candidate, error) {
	list, err := in.candidates(disable)
	if err != nil {
		return nil, err
	}
	return choose(list, name)
}

func (in *instance) open(chosen *candidate, o Options) (*Device, error) {
	d := &Device{candidate: *chosen, instance: in, api: in.api, compileOnly: o.CompileOnly}
	var r vulkan.Result
	d.handle, r = in.api.CreateDevice(d.physical, d.families(), d.support, d.features)
	if err := check("open "+d.Name, r); err != nil {
		return nil, err
	}
	d.queue = d.firstQueue(d.family)
	switch {
	case d.Features&TransferQueue != 0:
		d.uploads = d.firstQueue(d.copyFamily)
	case o.SplitUploads:
		d.copyFamily, d.uploads = d.family, d.queue
	}
	err := d.pipelines.open(d)
	if err == nil && !d.compileOnly {
		err = d.transfer.open(d)
	}
	if err != nil {
		d.transfer.close()
		d.pipelines.close(d)
		vulkan.DestroyDevice(d.handle, nil)
		return nil, err
	}
	return d, nil
}

// families are those of the device's queues.
func (c *candidate) families() []uint32 {
	if c.Features&TransferQueue != 0 {
		return []uint32{c.family, c.copyFamily}
	}
	return []uint32{c.family}
}

func (d *Device) firstQueue(family uint32) (queue vulkan.Queue) {
	vulkan.GetDeviceQueue(d.handle, family, 0, &queue)
	return queue
}

// Close waits for the device, writes the pipeline cache and releases
// everything. Programs and stores must be closed before.
func (d *Device) Close() error {
	if d.handle == nil {
		return nil
	}
	if d.stuck {
		d.pipelines.save(d)
		d.handle = nil
		return nil
	}
	var err error
	if !d.compileOnly {
		d.queueLock.Lock()
		err = check("wait for "+d.Name, vulkan.DeviceWaitIdle(d.handle))
		d.queueLock.Unlock()
	}
	d.transfer.close()
	d.pipelines.close(d)
	vulkan.DestroyDevice(d.handle, nil)
	d.handle = nil
	d.messages.Lock()
	d.messages.list = append(d.messages.list, d.instance.close()...)
	d.messages.Unlock()
	return err
}

// Lost reports whether the device is lost, as what waits for it would say with
// ErrDeviceLost.
func (d *Device) Lost() bool {
	d.queueLock.Lock()
	defer d.queueLock.Unlock()
	return vulkan.DeviceWaitIdle(d.handle) == vulkan.ErrorDeviceLost
}

// ValidationMessages returns the warnings and errors of the validation layer
// so far. After Close it also holds what was leaked. Without validation there
// are none.
func (d *Device) ValidationMessages() []string {
	d.messages.Lock()
	defer d.messages.Unlock()
	if d.handle != nil && d.instance.messenger != nil {
		d.messages.list = append(d.messages.list, d.instance.messenger.Take()...)
	}
	return append([]string(nil), d.messages.list...)
}

// Caps is what kernels and plans may count on.
func (d *Device) Caps() Caps { return d.candidate.Caps }

// Info describes the device.
func (d *Device) Info() Info { return d.candidate.Info }

// submit gives a recorded command buffer to the compute queue, for when the
// semaphore wait, where there is one, has been signalled; fence is signalled
// when it has run.
func (d *Device) submit(cmd vulkan.CommandBuffer, wait vulkan.Semaphore, fence vulkan.Fence) error {
	d.queueLock.Lock()
	defer d.queueLock.Unlock()
	d.submits.Add(1)
	return check("submit", d.api.QueueSubmit(d.queue, vk.Submission{Commands: cmd, Wait: wait, Fence: fence}))
}

// submitUpload gives a recorded command buffer to the queue for uploads; done
// is signalled when it has run.
func (d *Device) submitUpload(cmd vulkan.CommandBuffer, done vulkan.Semaphore) error {
	d.queueLock.Lock()
	defer d.queueLock.Unlock()
	return check("submit upload", d.api.QueueSubmit(d.uploads, vk.Submission{Commands: cmd, Signal: done}))
}

// Submits is how often work was given to the device's compute queue so far,
// copies from and to the host included.
func (d *Device) Submits() int64 { return d.submits.Load() }

// Waits is how often the host asked for the end of such work so far, whether
// it had ended already or not.
func (d *Device) Waits() int64 { return d.waits.Load() }
