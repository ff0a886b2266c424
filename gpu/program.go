package gpu

import (
	"context"
	"errors"
	"fmt"

	vulkan "github.com/vulkan-go/vulkan"
)

// Program is a compiled graph: command buffers that are replayed as they are,
// one for each slot. Its methods, and those of the programs compiled with it,
// are for one goroutine at a time.
type Program struct {
	dev    *Device
	shared *shared
	plan   *Plan
	graph  *Graph

	nodes    []node // the graph's, after its uploads where the compute queue takes them
	barrier  []bool // before each node
	uploads  *uploads
	commands *commands // a command buffer and a fence for each slot
	pool     vulkan.DescriptorPool
	views    []vulkan.BufferView // of the samplerBuffers
	busy     [Slots]bool         // submitted and not waited for
	clock    *clock              // nil without timestamps
	closed   bool
}

// shared is what the programs of one Compile have in common.
type shared struct {
	programs []*Program
	scratch  []*buffer
	piece    int64 // bytes of each scratch buffer but the last
	next     int   // slot that Acquire gives next
	open     int   // programs not closed
}

// Compile plans graphs and encodes them for a device. The programs share one
// scratch memory, as large as the neediest asks for, and the slots; runs of
// them take effect in the order of their submission.
func Compile(dev *Device, graphs ...*Graph) ([]*Program, error) {
	return compile(dev, false, graphs)
}

// CompileTraced is Compile for programs that take a timestamp after every
// command; see Program.Timings.
func CompileTraced(dev *Device, graphs ...*Graph) ([]*Program, error) {
	return compile(dev, true, graphs)
}

func compile(dev *Device, traced bool, graphs []*Graph) (list []*Program, err error) {
	s := &shared{}
	defer func() {
		if err != nil {
			for _, p := range s.programs {
				p.Close()
			}
			s.close()
		}
	}()
	plans := make([]*Plan, len(graphs))
	var scratch int64
	for i, g := range graphs {
		if plans[i], err = NewPlan(g); err != nil {
			return nil, fmt.Errorf("gpu: compile: %w", err)
		}
		scratch = max(scratch, plans[i].Scratch)
		s.piece = plans[i].piece
		if s.piece != plans[0].piece {
			return nil, errors.New("gpu: compile: the graphs are recorded for different devices")
		}
	}
	for at := int64(0); at < scratch; at += s.piece {
		b, err := dev.newBuffer("scratch memory of "+FormatBytes(scratch), inDevice, min(scratch-at, s.piece))
		if err != nil {
			return nil, fmt.Errorf("gpu: compile: %w", err)
		}
		s.scratch = append(s.scratch, b)
	}
	for i, g := range graphs {
		p := &Program{dev: dev, shared: s, plan: plans[i], graph: g}
		s.programs = append(s.programs, p)
		s.open++
		if err = p.encode(traced); err != nil {
			return nil, fmt.Errorf("gpu: compile: %w", err)
		}
	}
	dev.pipelines.saveMost(dev)
	return s.programs, nil
}

// Acquire returns the slot to prepare and submit next, once no run of it is
// under way in any program that was compiled with p. Ending the context ends
// the wait, not the run.
func (p *Program) Acquire(ctx context.Context) (slot int, err error) {
	s := p.shared
	slot = s.next
	for _, q := range s.programs {
		if err := q.Wait(ctx, slot); err != nil {
			return 0, err
		}
	}
	s.next = (s.next + 1) % Slots
	return slot, nil
}

// Submit starts a run of the slot and returns at once.
func (p *Program) Submit(slot int) error {
	if p.closed {
		return errors.New("gpu: program is closed")
	}
	if p.busy[slot] {
		return fmt.Errorf("gpu: slot %d is under way", slot)
	}
	uploaded, err := p.uploads.submit(slot)
	if err == nil {
		err = p.dev.submit(p.commands.cmds[slot], uploaded, p.commands.fences[slot])
	}
	if err != nil {
		return fmt.Errorf("gpu: %w", err)
	}
	p.busy[slot] = true
	return nil
}

// Wait waits for the slot's run, if one is under way. Ending the context ends
// the wait, not the run.
func (p *Program) Wait(ctx context.Context, slot int) error {
	if !p.busy[slot] {
		return nil
	}
	if err := p.commands.wait(ctx, slot); err != nil {
		return fmt.Errorf("gpu: %w", err)
	}
	p.busy[slot] = false
	return nil
}

// Run submits the next slot and waits for it.
func (p *Program) Run(ctx context.Context) error {
	slot, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	if err := p.Submit(slot); err != nil {
		return err
	}
	return p.Wait(ctx, slot)
}

// ScratchBytes is the scratch memory that the program's plan asks for.
func (p *Program) ScratchBytes() int64 { return p.plan.Scratch }

// FillScratch sets every 32-bit word of the scratch memory, for tests that
// want to see reads of what nothing wrote.
func (p *Program) FillScratch(bits uint32) error {
	if len(p.shared.scratch) == 0 {
		return nil
	}
	return p.dev.fill(bits, p.shared.scratch...)
}

// Close waits for the program's runs and frees it; the last program of a
// Compile frees their scratch memory.
func (p *Program) Close() {
	if p == nil || p.closed {
		return
	}
	p.closed = true
	if p.dev.stuck {
		return
	}
	for slot := range p.busy {
		// After a lost device nothing runs any more, so the error says nothing new.
		_ = p.Wait(context.Background(), slot)
		p.busy[slot] = false
	}
	p.uploads.close()
	p.commands.close()
	if p.pool != nil {
		vulkan.DestroyDescriptorPool(p.dev.handle, p.pool, nil)
	}
	for _, v := range p.views {
		vulkan.DestroyBufferView(p.dev.handle, v, nil)
	}
	p.views = nil
	p.clock.close(p.dev)
	p.shared.open--
	if p.shared.open == 0 {
		p.shared.close()
	}
}

func (s *shared) close() {
	for _, b := range s.scratch {
		b.close()
	}
	s.scratch = nil
}
