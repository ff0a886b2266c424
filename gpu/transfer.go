package gpu

import (
	"context"
	"fmt"
	"sync"
	"time"

	vulkan "github.com/vulkan-go/vulkan"
)

// StagingBytes is the size of the one buffer through which the host writes
// and reads device memory. It is part of what a device uses.
const StagingBytes = 8 << 20

// transfer copies between the host and device memory, one piece at a time.
type transfer struct {
	sync.Mutex
	commands *commands
	staging  *buffer
}

// commands is a command pool with command buffers, each with its fence.
type commands struct {
	dev    *Device
	pool   vulkan.CommandPool
	cmds   []vulkan.CommandBuffer
	fences []vulkan.Fence
}

func (d *Device) newCommands(family uint32, n int) (*commands, error) {
	c := &commands{dev: d}
	pool := vulkan.CommandPoolCreateInfo{
		SType:            vulkan.StructureTypeCommandPoolCreateInfo,
		Flags:            vulkan.CommandPoolCreateFlags(vulkan.CommandPoolCreateResetCommandBufferBit),
		QueueFamilyIndex: family,
	}
	defer pool.Free()
	var created vulkan.CommandPool
	if err := check("create command pool", vulkan.CreateCommandPool(d.handle, &pool, nil, &created)); err != nil {
		return nil, err
	}
	c.pool = created
	alloc := vulkan.CommandBufferAllocateInfo{
		SType:              vulkan.StructureTypeCommandBufferAllocateInfo,
		CommandPool:        c.pool,
		Level:              vulkan.CommandBufferLevelPrimary,
		CommandBufferCount: uint32(n),
	}
	defer alloc.Free()
	c.cmds = make([]vulkan.CommandBuffer, n)
	if err := check("allocate command buffers", vulkan.AllocateCommandBuffers(d.handle, &alloc, c.cmds)); err != nil {
		c.close()
		return nil, err
	}
	fence := vulkan.FenceCreateInfo{SType: vulkan.StructureTypeFenceCreateInfo}
	defer fence.Free()
	for range n {
		var f vulkan.Fence
		if err := check("create fence", vulkan.CreateFence(d.handle, &fence, nil, &f)); err != nil {
			c.close()
			return nil, err
		}
		c.fences = append(c.fences, f)
	}
	return c, nil
}

// close frees the pool; no command buffer of it may be running.
func (c *commands) close() {
	if c == nil {
		return
	}
	for _, f := range c.fences {
		vulkan.DestroyFence(c.dev.handle, f, nil)
	}
	vulkan.DestroyCommandPool(c.dev.handle, c.pool, nil)
}

func (c *commands) open(i int) error {
	info := vulkan.CommandBufferBeginInfo{SType: vulkan.StructureTypeCommandBufferBeginInfo}
	defer info.Free()
	return check("begin command buffer", vulkan.BeginCommandBuffer(c.cmds[i], &info))
}

// begin starts recording command buffer i, with everything before it on the
// queue made visible to it: its own barriers need only care for itself.
func (c *commands) begin(i int) (vulkan.CommandBuffer, error) {
	if err := c.open(i); err != nil {
		return nil, err
	}
	c.dev.barrier(c.cmds[i], deviceStages, deviceStages, deviceWrites, deviceReads|deviceWrites)
	return c.cmds[i], nil
}

// end finishes recording, with everything written made visible to the host.
func (c *commands) end(i int) error {
	c.dev.barrier(c.cmds[i], deviceStages, vulkan.PipelineStageHostBit, deviceWrites, vulkan.AccessHostReadBit)
	return check("end command buffer", vulkan.EndCommandBuffer(c.cmds[i]))
}

// The stages and accesses that a compute program uses on the device.
const (
	deviceStages = vulkan.PipelineStageComputeShaderBit | vulkan.PipelineStageTransferBit
	deviceWrites = vulkan.AccessShaderWriteBit | vulkan.AccessTransferWriteBit
	deviceReads  = vulkan.AccessShaderReadBit | vulkan.AccessTransferReadBit
)

func (d *Device) barrier(cmd vulkan.CommandBuffer, src, dst vulkan.PipelineStageFlagBits, from, to vulkan.AccessFlagBits) {
	d.api.CmdMemoryBarrier(cmd, src, dst, from, to)
}

// waitSlice is how long one wait for a fence lasts before the context is
// looked at again.
const waitSlice = 20 * time.Millisecond

// wait waits for a fence and resets it. When the context ends first the work
// goes on and the fence stays as it is.
func (c *commands) wait(ctx context.Context, i int) error {
	c.dev.waits.Add(1)
	fence := []vulkan.Fence{c.fences[i]}
	for {
		r := vulkan.WaitForFences(c.dev.handle, 1, fence, vulkan.True, uint64(waitSlice))
		if r == vulkan.Timeout {
			if err := ctx.Err(); err != nil {
				return err
			}
			continue
		}
		if err := check("wait for the device", r); err != nil {
			return err
		}
		return check("reset fence", vulkan.ResetFences(c.dev.handle, 1, fence))
	}
}

func (t *transfer) open(d *Device) (err error) {
	if t.commands, err = d.newCommands(d.family, 1); err == nil {
		t.staging, err = d.newBuffer("staging buffer", inHost, StagingBytes)
	}
	return err
}

// once records commands, runs them and waits for them. The transfer lock is
// held by the caller.
func (t *transfer) once(d *Device, record func(cmd vulkan.CommandBuffer)) error {
	cmd, err := t.commands.begin(0)
	if err != nil {
		return err
	}
	record(cmd)
	if err := t.commands.end(0); err != nil {
		return err
	}
	if err := d.submit(cmd, nil, t.commands.fences[0]); err != nil {
		return err
	}
	return t.commands.wait(context.Background(), 0)
}

// pieces calls copy for each staging-buffer-full of n bytes.
func (t *transfer) pieces(n int64, copy func(offset, bytes int64) error) error {
	for offset := int64(0); offset < n; offset += StagingBytes {
		if err := copy(offset, min(n-offset, StagingBytes)); err != nil {
			return err
		}
	}
	return nil
}

// write copies data to a buffer and waits until it is there.
func (d *Device) write(b *buffer, offset int64, data []byte) error {
	if b.mapped != nil {
		copy(b.mapped[offset:], data)
		return nil
	}
	t := &d.transfer
	t.Lock()
	defer t.Unlock()
	return t.pieces(int64(len(data)), func(at, n int64) error {
		copy(t.staging.mapped, data[at:at+n])
		return t.once(d, func(cmd vulkan.CommandBuffer) {
			d.api.CmdCopyBuffer(cmd, t.staging.handle, b.handle, 0, offset+at, n)
		})
	})
}

// read copies from a buffer, after everything submitted before.
func (d *Device) read(b *buffer, offset int64, data []byte) error {
	if b.mapped != nil {
		copy(data, b.mapped[offset:])
		return nil
	}
	t := &d.transfer
	t.Lock()
	defer t.Unlock()
	return t.pieces(int64(len(data)), func(at, n int64) error {
		err := t.once(d, func(cmd vulkan.CommandBuffer) {
			d.api.CmdCopyBuffer(cmd, b.handle, t.staging.handle, offset+at, 0, n)
		})
		if err == nil {
			copy(data[at:at+n], t.staging.mapped)
		}
		return err
	})
}

// fill sets every 32-bit word of the buffers.
func (d *Device) fill(value uint32, buffers ...*buffer) error {
	d.transfer.Lock()
	defer d.transfer.Unlock()
	err := d.transfer.once(d, func(cmd vulkan.CommandBuffer) {
		for _, b := range buffers {
			vulkan.CmdFillBuffer(cmd, b.handle, 0, vulkan.DeviceSize(vulkan.WholeSize), value)
		}
	})
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

func (t *transfer) close() {
	t.staging.close()
	t.commands.close()
	t.staging, t.commands = nil, nil
}
