package gpu

import (
	"errors"
	"fmt"
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

// clock takes timestamps: one at the beginning of a run and one behind every
// command.
type clock struct {
	nodes []node
	pools [Slots]vulkan.QueryPool
	next  uint32 // query to write next while recording
}

func (d *Device) newClock(nodes []node) (*clock, error) {
	if d.timestampMask == 0 {
		return nil, fmt.Errorf("%s has no timestamps on its compute queue", d.Name)
	}
	c := &clock{nodes: nodes}
	info := vulkan.QueryPoolCreateInfo{
		SType:      vulkan.StructureTypeQueryPoolCreateInfo,
		QueryType:  vulkan.QueryTypeTimestamp,
		QueryCount: uint32(len(nodes)) + 1,
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
	vulkan.CmdResetQueryPool(cmd, c.pools[slot], 0, uint32(len(c.nodes))+1)
	c.next = 0
	c.stamp(cmd, slot)
}

func (c *clock) stamp(cmd vulkan.CommandBuffer, slot int) {
	if c == nil {
		return
	}
	vulkan.CmdWriteTimestamp(cmd, vulkan.PipelineStageBottomOfPipeBit, c.pools[slot], c.next)
	c.next++
}

// Timings returns the device times of the slot's last run, which must have
// ended, by scope and kernel in the order of their first command. A command
// that runs beside the one before it counts only from that one's end.
func (p *Program) Timings(slot int) ([]Timing, error) {
	if p.clock == nil || p.closed {
		return nil, errors.New("gpu: the program was not compiled with timestamps, or is closed")
	}
	ticks := make([]uint64, len(p.clock.nodes)+1)
	err := check("read timestamps", vulkan.GetQueryPoolResults(p.dev.handle, p.clock.pools[slot], 0, uint32(len(ticks)),
		uint(8*len(ticks)), unsafe.Pointer(&ticks[0]), 8, vulkan.QueryResultFlags(vulkan.QueryResult64Bit)))
	if err != nil {
		return nil, fmt.Errorf("gpu: %w", err)
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
