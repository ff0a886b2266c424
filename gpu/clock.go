package gpu

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// Timing is the device time of the commands of one kernel in one scope.
type Timing struct {
	Scope    string // as the graph named it
	Kernel   string // or "copy", "fill"
	Count    int    // commands
	Duration time.Duration
}

// Span is when a run of a program was on the device: times on its clock, of
// which the beginning has no meaning.
type Span struct{ Begin, End time.Duration }

// clock takes timestamps of every run: at its beginning and at its end or, where
// it is to time kernels, behind every command.
type clock struct {
	nodes   []node
	kernels bool
	pools   [Slots]vulkan.QueryPool
	next    uint32 // query to write next while recording
}

// newClock is nil where the device has no timestamps and kernels are not to be
// timed.
func (d *Device) newClock(nodes []node, kernels bool) (*clock, error) {
	if d.timestampMask == 0 {
		if kernels {
			return nil, fmt.Errorf("%s has no timestamps on its compute queue", d.Name)
		}
		return nil, nil
	}
	c := &clock{nodes: nodes, kernels: kernels}
	info := vulkan.QueryPoolCreateInfo{
		SType:      vulkan.StructureTypeQueryPoolCreateInfo,
		QueryType:  vulkan.QueryTypeTimestamp,
		QueryCount: c.queries(),
	}
	defer info.Free()
	for slot := range c.pools {
		var pool vulkan.QueryPool
		if err := check("create query pool", vulkan.CreateQueryPool(d.handle, &info, nil, &pool)); err != nil {
			c.close(d)
			return nil, err
		}
		c.pools[slot] = pool
	}
	return c, nil
}

func (c *clock) queries() uint32 {
	if c.kernels {
		return uint32(len(c.nodes)) + 1
	}
	return 2
}

func (c *clock) close(d *Device) {
	if c == nil {
		return
	}
	for _, pool := range c.pools {
		vulkan.DestroyQueryPool(d.handle, pool, nil)
	}
}

func (c *clock) begin(cmd vulkan.CommandBuffer, slot int) {
	if c == nil {
		return
	}
	vulkan.CmdResetQueryPool(cmd, c.pools[slot], 0, c.queries())
	c.next = 0
	c.stamp(cmd, slot)
}

// command follows every command.
func (c *clock) command(cmd vulkan.CommandBuffer, slot int) {
	if c != nil && c.kernels {
		c.stamp(cmd, slot)
	}
}

func (c *clock) end(cmd vulkan.CommandBuffer, slot int) {
	if c != nil && c.next < c.queries() {
		c.stamp(cmd, slot)
	}
}

func (c *clock) stamp(cmd vulkan.CommandBuffer, slot int) {
	vulkan.CmdWriteTimestamp(cmd, vulkan.PipelineStageBottomOfPipeBit, c.pools[slot], c.next)
	c.next++
}

// read gives the timestamps of a slot's last run.
func (c *clock) read(d *Device, slot int) ([]uint64, error) {
	ticks := make([]uint64, c.queries())
	err := check("read timestamps", vulkan.GetQueryPoolResults(d.handle, c.pools[slot], 0, c.queries(),
		uint(8*len(ticks)), unsafe.Pointer(&ticks[0]), 8, vulkan.QueryResultFlags(vulkan.QueryResult64Bit)))
	if err != nil {
		return nil, fmt.Errorf("gpu: %w", err)
	}
	return ticks, nil
}

// Span returns when the slot's last run, which must have ended, was on the
// device; ok is false where the device has no timestamps.
func (p *Program) Span(slot int) (s Span, ok bool, err error) {
	if p.clock == nil || p.closed {
		return Span{}, false, nil
	}
	ticks, err := p.clock.read(p.dev, slot)
	if err != nil {
		return Span{}, false, err
	}
	at := func(i int) time.Duration { return p.dev.time.at(ticks[i], &p.dev.candidate) }
	return Span{at(0), at(len(ticks) - 1)}, true, nil
}

// deviceTime continues a device's clock where its few bits begin again at zero.
type deviceTime struct {
	sync.Mutex
	last uint64 // latest ticks seen
	now  time.Duration
}

// at turns ticks, not half the clock's range from the latest, into a time.
func (t *deviceTime) at(ticks uint64, c *candidate) time.Duration {
	t.Lock()
	defer t.Unlock()
	length := func(ticks uint64) time.Duration { return time.Duration(float64(ticks) * c.timestampNano) }
	if t.last == 0 {
		t.last = ticks
	}
	later := (ticks - t.last) & c.timestampMask
	if later > c.timestampMask/2 {
		return t.now - length((t.last-ticks)&c.timestampMask)
	}
	t.last = ticks
	t.now += length(later)
	return t.now
}

// Timings returns the device times of the slot's last run, which must have
// ended, by scope and kernel in the order of their first command. A command
// that runs beside the one before it counts only from that one's end.
func (p *Program) Timings(slot int) ([]Timing, error) {
	if p.clock == nil || !p.clock.kernels || p.closed {
		return nil, errors.New("gpu: the program was not compiled to time its kernels, or is closed")
	}
	ticks, err := p.clock.read(p.dev, slot)
	if err != nil {
		return nil, err
	}
	type key struct{ scope, kernel string }
	index := map[key]int{}
	var list []Timing
	for i := range p.clock.nodes {
		n := &p.clock.nodes[i]
		k := key{n.scope, n.name()}
		at, ok := index[k]
		if !ok {
			at = len(list)
			index[k] = at
			list = append(list, Timing{Scope: k.scope, Kernel: k.kernel})
		}
		list[at].Count++
		elapsed := (ticks[i+1] - ticks[i]) & p.dev.timestampMask
		list[at].Duration += time.Duration(float64(elapsed) * p.dev.timestampNano)
	}
	return list, nil
}
