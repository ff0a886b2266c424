package gpu

import (
	vulkan "github.com/vulkan-go/vulkan"
)

// uploads copy a program's inputs on the queue for uploads. A slot's copies may
// begin as soon as they are submitted, whatever runs on the compute queue: the
// slot's last run has been waited for.
type uploads struct {
	dev      *Device
	commands *commands               // a command buffer for each slot
	done     [Slots]vulkan.Semaphore // signalled once for every run, which waits for it
}

// prepareUploads finds the graph's inputs and who copies them: a queue of their
// own, or the compute queue before it does anything else.
func (p *Program) prepareUploads() error {
	var copies []node
	known := map[*memory]bool{}
	for i := range p.graph.nodes {
		for _, t := range p.graph.nodes[i].args {
			if t == nil || t.mem.twin == nil || known[t.mem] {
				continue
			}
			known[t.mem] = true
			whole := t.mem.owner.(*Store).tensors[t.mem.index]
			copies = append(copies, node{kind: copyNode, scope: "upload", args: []*Tensor{whole, t.mem.twin}})
		}
	}
	p.nodes, p.barrier = p.graph.nodes, p.plan.barrier
	switch {
	case len(copies) == 0:
	case p.dev.uploads != nil:
		return p.recordUploads(copies)
	default:
		p.nodes = append(copies, p.nodes...)
		p.barrier = append(make([]bool, len(copies)), p.barrier...)
		p.barrier[len(copies)] = true
	}
	return nil
}

// recordUploads encodes the copies of every slot for the queue for uploads.
func (p *Program) recordUploads(copies []node) error {
	u := &uploads{dev: p.dev}
	p.uploads = u
	var err error
	if u.commands, err = p.dev.newCommands(p.dev.copyFamily, Slots); err != nil {
		return err
	}
	info := vulkan.SemaphoreCreateInfo{SType: vulkan.StructureTypeSemaphoreCreateInfo}
	defer info.Free()
	for slot := range Slots {
		var semaphore vulkan.Semaphore
		if err := check("create semaphore", vulkan.CreateSemaphore(p.dev.handle, &info, nil, &semaphore)); err != nil {
			return err
		}
		u.done[slot] = semaphore
		if err := u.commands.open(slot); err != nil {
			return err
		}
		for i := range copies {
			if err := p.move(u.commands.cmds[slot], slot, &copies[i]); err != nil {
				return copies[i].wrap(err)
			}
		}
		if err := check("end command buffer", vulkan.EndCommandBuffer(u.commands.cmds[slot])); err != nil {
			return err
		}
	}
	return nil
}

// submit starts a slot's copies and gives what the run must wait for, nil where
// there are none.
func (u *uploads) submit(slot int) (vulkan.Semaphore, error) {
	if u == nil {
		return nil, nil
	}
	return u.done[slot], u.dev.submitUpload(u.commands.cmds[slot], u.done[slot])
}

// close frees what recordUploads took, when a copy that no run has waited for
// has ended too.
func (u *uploads) close() {
	if u == nil {
		return
	}
	u.dev.queueLock.Lock()
	vulkan.QueueWaitIdle(u.dev.uploads) // after a lost device nothing is under way
	u.dev.queueLock.Unlock()
	for _, s := range u.done {
		if s != nil {
			vulkan.DestroySemaphore(u.dev.handle, s, nil)
		}
	}
	u.commands.close()
}
