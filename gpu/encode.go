package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"dino-vk/gpu/internal/vk"

	vulkan "github.com/vulkan-go/vulkan"
)

// encode makes the program's pipelines, descriptor sets and command buffers.
func (p *Program) encode(traced bool) error {
	if err := p.prepareUploads(); err != nil {
		return err
	}
	nodes := p.nodes
	p.dev.pipelines.prepare(p.dev, nodes)
	made := make([]*pipeline, len(nodes))
	buffers, texels := 0, 0
	for i := range nodes {
		n := &nodes[i]
		if n.kind != dispatchNode {
			continue
		}
		var err error
		if made[i], err = p.dev.pipelines.get(p.dev, n.module, n.shader); err != nil {
			return n.wrap(err)
		}
		for _, b := range n.module.bindings {
			if b.texels {
				texels += Slots
			} else {
				buffers += Slots
			}
		}
	}
	var r vulkan.Result
	p.pool, r = p.dev.api.CreateDescriptorPool(p.dev.handle, len(nodes)*Slots, buffers, texels)
	if err := check("create descriptor pool", r); err != nil {
		return err
	}
	var err error
	if p.commands, err = p.dev.newCommands(p.dev.family, Slots); err != nil {
		return err
	}
	if p.clock, err = p.dev.newClock(nodes, traced); err != nil {
		return err
	}
	sets := make([]vulkan.DescriptorSet, len(nodes))
	for slot := range Slots {
		if err := p.bind(slot, made, sets); err != nil {
			return err
		}
		if err := p.record(slot, made, sets); err != nil {
			return err
		}
	}
	return nil
}

// bind allocates and writes a slot's descriptor sets. Dispatches without a
// tensor of several copies use the first slot's.
func (p *Program) bind(slot int, made []*pipeline, sets []vulkan.DescriptorSet) error {
	var writes []vk.BufferWrite
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.kind != dispatchNode || len(n.args) == 0 || slot > 0 && !n.usesSlots() {
			continue
		}
		alloc := vulkan.DescriptorSetAllocateInfo{
			SType:              vulkan.StructureTypeDescriptorSetAllocateInfo,
			DescriptorPool:     p.pool,
			DescriptorSetCount: 1,
			PSetLayouts:        []vulkan.DescriptorSetLayout{made[i].set},
		}
		r := vulkan.AllocateDescriptorSets(p.dev.handle, &alloc, &sets[i])
		alloc.Free()
		if err := check("allocate descriptor set", r); err != nil {
			return n.wrap(err)
		}
		for b, t := range n.args {
			if t == nil {
				t = n.standIn(n.module.bindings[b].write)
			}
			at, err := p.locate(t, slot)
			if err != nil {
				return n.wrap(err)
			}
			write := vk.BufferWrite{
				Set: sets[i], Binding: uint32(b), Buffer: at.buffer.handle, Offset: at.offset, Bytes: at.bytes,
			}
			if n.module.bindings[b].texels {
				if write.View, err = p.texels(at); err != nil {
					return n.wrap(err)
				}
			}
			writes = append(writes, write)
		}
	}
	p.dev.api.UpdateDescriptorSets(p.dev.handle, writes)
	return nil
}

// texels makes a view of a region as texels of four floats; it lives as long
// as the program.
func (p *Program) texels(at region) (vulkan.BufferView, error) {
	bytes := min(at.bytes, texelBytes*int64(p.dev.MaxTexels))
	view, r := p.dev.api.CreateBufferView(p.dev.handle, at.buffer.handle, vulkan.FormatR32g32b32a32Sfloat, at.offset, bytes)
	if err := check("create buffer view", r); err != nil {
		return nil, err
	}
	p.views = append(p.views, view)
	return view, nil
}

func (n *node) usesSlots() bool {
	for _, t := range n.args {
		if t != nil && t.mem.copies() > 1 {
			return true
		}
	}
	return false
}

// standIn is what is bound for an absent argument: one of the dispatch's own
// tensors of the same access, so that nothing else needs a barrier for it.
func (n *node) standIn(write bool) *Tensor {
	var other *Tensor
	for i, t := range n.args {
		if t == nil {
			continue
		}
		if n.module.bindings[i].write == write {
			return t
		}
		other = t
	}
	return other
}

// region is a byte range of a buffer.
type region struct {
	buffer        *buffer
	offset, bytes int64
}

// locate finds a tensor's memory in a slot.
func (p *Program) locate(t *Tensor, slot int) (region, error) {
	if t == nil {
		return region{}, errors.New("a dispatch needs at least one tensor")
	}
	switch owner := t.mem.owner.(type) {
	case *Graph:
		at := p.plan.offset[t.mem.index]
		return region{p.shared.scratch[at/p.plan.piece], at%p.plan.piece + t.off, t.Bytes()}, nil
	case *Store:
		b, offset, err := owner.locate(t, slot)
		if err == nil && owner.dev != p.dev {
			err = errors.New("it is on another device")
		}
		if err != nil {
			return region{}, fmt.Errorf("%v: %w", t, err)
		}
		bytes := t.Bytes()
		if t.mem.guard > 0 && t.off+bytes == t.mem.bytes {
			bytes = alignUp(bytes, viewAlign) + t.mem.guard
		}
		return region{b, offset, bytes}, nil
	}
	return region{}, fmt.Errorf("%v belongs to nothing", t)
}

// record encodes a slot's command buffer.
func (p *Program) record(slot int, made []*pipeline, sets []vulkan.DescriptorSet) error {
	cmd, err := p.commands.begin(slot)
	if err != nil {
		return err
	}
	p.clock.begin(cmd, slot)
	var bound vulkan.Pipeline
	for i := range p.nodes {
		n := &p.nodes[i]
		if p.barrier[i] {
			p.dev.barrier(cmd, deviceStages, deviceStages, deviceWrites, deviceReads|deviceWrites)
		}
		switch n.kind {
		case dispatchNode:
			if made[i].handle != bound {
				bound = made[i].handle
				vulkan.CmdBindPipeline(cmd, vulkan.PipelineBindPointCompute, bound)
			}
			if len(n.args) > 0 {
				vulkan.CmdBindDescriptorSets(cmd, vulkan.PipelineBindPointCompute, made[i].layout, 0, 1, sets[i:i+1], 0, nil)
			}
			if len(n.push.bytes) > 0 {
				bytes, err := p.push(n, slot)
				if err != nil {
					return n.wrap(err)
				}
				vulkan.CmdPushConstants(cmd, made[i].layout, vulkan.ShaderStageFlags(vulkan.ShaderStageComputeBit),
					0, uint32(len(bytes)), unsafe.Pointer(&bytes[0]))
			}
			vulkan.CmdDispatch(cmd, uint32(n.groups[0]), uint32(n.groups[1]), uint32(n.groups[2]))
		case copyNode, fillNode:
			if err := p.move(cmd, slot, n); err != nil {
				return n.wrap(err)
			}
		}
		p.clock.command(cmd, slot)
	}
	p.clock.end(cmd, slot)
	return p.commands.end(slot)
}

// push is a node's push constants in a slot.
func (p *Program) push(n *node, slot int) ([]byte, error) {
	bytes := slices.Clone(n.push.bytes)
	for at, arg := range n.push.addresses {
		r, err := p.locate(n.args[arg], slot)
		if err != nil {
			return nil, err
		}
		address := p.dev.api.BufferAddress(p.dev.handle, r.buffer.handle) + uint64(r.offset)
		binary.LittleEndian.PutUint64(bytes[at:], address)
	}
	return bytes, nil
}

// move encodes a copy or a fill.
func (p *Program) move(cmd vulkan.CommandBuffer, slot int, n *node) error {
	dst, err := p.locate(n.args[0], slot)
	if err != nil {
		return err
	}
	bytes := n.args[0].Bytes()
	if n.kind == fillNode {
		vulkan.CmdFillBuffer(cmd, dst.buffer.handle, vulkan.DeviceSize(dst.offset), vulkan.DeviceSize(bytes), n.value)
		return nil
	}
	src, err := p.locate(n.args[1], slot)
	if err != nil {
		return err
	}
	p.dev.api.CmdCopyBuffer(cmd, src.buffer.handle, dst.buffer.handle, src.offset, dst.offset, bytes)
	return nil
}

// name is what errors and traces call a node.
func (n *node) name() string {
	switch n.kind {
	case copyNode:
		return "copy"
	case fillNode:
		return "fill"
	}
	return n.shader.Kernel
}

// wrap says where in the recording an error belongs.
func (n *node) wrap(err error) error {
	if n.scope == "" {
		return fmt.Errorf("%s: %w", n.name(), err)
	}
	return fmt.Errorf("%s/%s: %w", n.scope, n.name(), err)
}
