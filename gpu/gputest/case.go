package gputest

import (
	"context"
	"encoding/binary"
	"testing"

	"dino-vk/gpu"
)

// poison fills outputs and scratch memory before a run: a NaN as a float, a
// large number as an integer.
const poison = 0x7fc0beef

// Case is one recording with its tensors, run and checked on a device.
type Case struct {
	testing.TB
	Dev   *gpu.Device
	Store *gpu.Store // for further tensors, such as gradients of parameters
	Graph *gpu.Graph // record here

	initial map[*gpu.Tensor][]byte // content before each run
	outputs []*gpu.Tensor
	result  map[*gpu.Tensor][]byte
}

// New begins a case on the shared device.
func New(t testing.TB) *Case {
	t.Helper()
	dev := Open(t)
	return &Case{
		TB: t, Dev: dev, Store: gpu.NewStore(), Graph: gpu.NewGraph(dev.Caps()),
		initial: map[*gpu.Tensor][]byte{}, result: map[*gpu.Tensor][]byte{},
	}
}

// Input is a float32 tensor of these values.
func (c *Case) Input(name string, values []float32, shape ...int) *gpu.Tensor {
	return c.tensor(name, gpu.F32, gpu.F32Bytes(values), shape)
}

// InputAs is a tensor of these values in another type, rounded to it.
func (c *Case) InputAs(name string, typ gpu.Type, values []float32, shape ...int) *gpu.Tensor {
	return c.tensor(name, typ, typ.Encode(values), shape)
}

// InputU32 is a tensor of these 32-bit words.
func (c *Case) InputU32(name string, values []uint32, shape ...int) *gpu.Tensor {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, v)
	}
	return c.tensor(name, gpu.U32, data, shape)
}

// InOut is a float32 tensor that begins each run with these values and whose
// content after the run can be checked.
func (c *Case) InOut(name string, values []float32, shape ...int) *gpu.Tensor {
	return c.InOutAs(name, gpu.F32, values, shape...)
}

// InOutAs is the same in another type.
func (c *Case) InOutAs(name string, typ gpu.Type, values []float32, shape ...int) *gpu.Tensor {
	t := c.InputAs(name, typ, values, shape...)
	c.outputs = append(c.outputs, t)
	return t
}

// Output is a tensor that begins each run full of NaN and whose content after
// the run can be checked.
func (c *Case) Output(name string, typ gpu.Type, shape ...int) *gpu.Tensor {
	t := c.tensor(name, typ, nil, shape)
	c.outputs = append(c.outputs, t)
	return t
}

// Keep records a copy of a tensor of the graph, as it is at this point of the
// recording, and returns the copy, which can be checked after the run.
func (c *Case) Keep(t *gpu.Tensor) *gpu.Tensor {
	out := c.Output(t.Name, t.Type, t.Shape...)
	c.Graph.Copy(out, t)
	return out
}

// tensor declares a guarded tensor; no data means poison.
func (c *Case) tensor(name string, typ gpu.Type, data []byte, shape []int) *gpu.Tensor {
	c.Helper()
	t := c.Store.Guarded(name, typ, shape...)
	if data == nil {
		for int64(len(data)) < t.Bytes() {
			data = binary.LittleEndian.AppendUint32(data, poison)
		}
	}
	if int64(len(data)) != t.Bytes() {
		c.Fatalf("%v: %d values given", t, len(data)/4)
	}
	c.initial[t] = data
	return t
}

// Run compiles the graph and runs it twice from the same inputs. It fails the
// test if the recording is wrong, if a guard band was written, or if the two
// runs gave different bits.
func (c *Case) Run() {
	c.Helper()
	must := func(err error) {
		c.Helper()
		if err != nil {
			c.Fatal(err)
		}
	}
	must(c.Graph.Err())
	must(c.Store.Allocate(c.Dev))
	defer c.Store.Close()
	programs, err := gpu.Compile(c.Dev, c.Graph)
	must(err)
	defer programs[0].Close()
	for run := range 2 {
		for t, data := range c.initial {
			must(c.Store.Write(t, data))
		}
		must(programs[0].FillScratch(poison))
		must(programs[0].Run(context.Background()))
		for _, t := range c.outputs {
			data := make([]byte, t.Bytes())
			must(c.Store.Read(t, data))
			if run > 0 {
				c.sameBits(t, c.result[t], data)
			}
			c.result[t] = data
		}
		must(c.Store.CheckGuards())
	}
}

func (c *Case) sameBits(t *gpu.Tensor, first, second []byte) {
	c.Helper()
	for i := 0; i < len(first); i += 4 {
		a, b := binary.LittleEndian.Uint32(first[i:]), binary.LittleEndian.Uint32(second[i:])
		if a != b {
			c.Fatalf("%v: element %d is %#x in the first run and %#x in the second", t, i/4, a, b)
		}
	}
}

// Words is the content of an output after Run.
func (c *Case) Words(t *gpu.Tensor) []uint32 {
	c.Helper()
	data, ok := c.result[t]
	if !ok {
		c.Fatalf("%v is no output, or the case has not run", t)
	}
	words := make([]uint32, len(data)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return words
}

// Floats is the content of an output of floats after Run.
func (c *Case) Floats(t *gpu.Tensor) []float32 {
	c.Helper()
	var data []byte
	for _, w := range c.Words(t) {
		data = binary.LittleEndian.AppendUint32(data, w)
	}
	return t.Type.Decode(data)
}

// Near fails the test where an output differs from want by more than the
// bound allows. It names the worst element and how many are out of bounds.
func (c *Case) Near(t *gpu.Tensor, want []float64, bound Bound) {
	c.Helper()
	if err := Compare(c.Floats(t), want, bound); err != nil {
		c.Errorf("%v: %v", t, err)
	}
}
