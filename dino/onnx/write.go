package onnx

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/resnet"
	"dino-vk/vit"
)

const (
	irVersion = 7
	opset     = 13
	// mostBytes is what a protobuf message, and so a file, may have.
	mostBytes = math.MaxInt32
	// batch names the dimension that a runtime chooses.
	batch = "batch"
)

// Write writes the backbone of m for square images of size pixels. The file
// takes "image" (n, 3, size, size), f32, normalised as in training, of any n. That
// of a Vision Transformer gives "cls" (n, D) and "patches" (n, T, D), line by
// line, both after the last norm; that of a ResNet "features" (n, C) and the
// "maps" (n, C, H, W) whose mean they are.
//
// Weights are read one after the other, and all have their own names and bits
// but the position embedding: that of the size, with the CLS token added to its
// first row. A backbone without an ONNX form, a size without a patch, and a file
// of 2 GiB or more are errors; then nothing is written.
func Write(w io.Writer, m *dino.Model, size int) error {
	if err := write(w, m, size); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

func write(w io.Writer, m *dino.Model, size int) error {
	g := newGraph(m)
	g.input = value{"image", []int{3, size, size}}
	switch c := m.Backbone.(type) {
	case vit.Config:
		if size < c.PatchSize {
			return fmt.Errorf("images of %d pixels hold no patch of %d", size, c.PatchSize)
		}
		g.vit(c, size)
	case resnet.Config:
		if size < 1 {
			return fmt.Errorf("images of %d pixels", size)
		}
		g.resnet(c, size)
	default:
		return fmt.Errorf("%T has no ONNX form", c)
	}
	return g.write(w)
}

// write writes the graph as a ModelProto: all but the tensors, then these, one
// at a time.
func (g *graph) write(w io.Writer) error {
	body := g.body()
	size := int64(len(body))
	for _, t := range g.tensors {
		size += int64(len(t.head())) + t.bytes()
	}
	var head message
	head.int(1, irVersion)
	head.text(2, "dino-vk")
	head.message(8, func(m *message) { m.int(2, opset) })
	head.begin(7, size)
	if total := int64(len(head)) + size; total > mostBytes {
		return fmt.Errorf("the model takes %s: a file holds less than 2 GiB", gpu.FormatBytes(total))
	}
	b := bufio.NewWriterSize(w, 1<<16)
	b.Write(head) // an error stays until Flush
	b.Write(body)
	for _, t := range g.tensors {
		b.Write(t.head())
		if err := t.write(b); err != nil {
			return fmt.Errorf("tensor %q: %w", t.name, err)
		}
	}
	return b.Flush()
}

// body is the GraphProto without its tensors.
func (g *graph) body() message {
	var m message
	m.text(2, "backbone")
	for _, n := range g.nodes {
		m.message(1, n.encode)
	}
	m.message(11, g.input.encode)
	for _, v := range g.outputs {
		m.message(12, v.encode)
	}
	return m
}

// encode fills a NodeProto.
func (n node) encode(m *message) {
	for _, x := range n.inputs {
		m.text(1, x)
	}
	for _, y := range n.outputs {
		m.text(2, y)
	}
	m.text(3, n.outputs[0])
	m.text(4, n.operator)
	for _, a := range n.attributes {
		m.message(5, a.encode)
	}
}

// encode fills an AttributeProto.
func (a attribute) encode(m *message) {
	const typeFloat, typeInt, typeInts = 1, 2, 7
	m.text(1, a.name)
	switch v := a.value.(type) {
	case float32:
		*m = protowire.AppendTag(*m, 2, protowire.Fixed32Type)
		*m = protowire.AppendFixed32(*m, math.Float32bits(v))
		m.int(20, typeFloat)
	case int:
		m.int(3, int64(v))
		m.int(20, typeInt)
	case []int:
		for _, i := range v {
			m.int(8, int64(i))
		}
		m.int(20, typeInts)
	}
}

// encode fills a ValueInfoProto.
func (v value) encode(m *message) {
	m.text(1, v.name)
	m.message(2, func(typ *message) {
		typ.message(1, func(tensor *message) {
			tensor.int(1, int64(float32s))
			tensor.message(2, func(shape *message) {
				shape.message(1, func(d *message) { d.text(2, batch) })
				for _, n := range v.shape {
					shape.message(1, func(d *message) { d.int(1, int64(n)) })
				}
			})
		})
	})
}

// head begins a TensorProto in the graph, up to its raw bytes.
func (t tensor) head() message {
	var m message
	for _, d := range t.shape {
		m.int(1, int64(d))
	}
	m.int(2, int64(t.typ()))
	m.text(8, t.name)
	m.begin(9, t.bytes())
	var head message
	head.begin(5, int64(len(m))+t.bytes())
	return append(head, m...)
}

func (t tensor) typ() dataType {
	if t.floats == nil {
		return int64s
	}
	return float32s
}

// bytes is the length of the raw data.
func (t tensor) bytes() int64 {
	if t.floats == nil {
		return 8 * int64(len(t.ints))
	}
	n := int64(4)
	for _, d := range t.shape {
		n *= int64(d)
	}
	return n
}

// write writes the raw data, little-endian.
func (t tensor) write(w io.Writer) error {
	if t.floats == nil {
		list := make([]int64, len(t.ints))
		for i, v := range t.ints {
			list[i] = int64(v)
		}
		return binary.Write(w, binary.LittleEndian, list)
	}
	values, err := t.floats()
	if err != nil {
		return err
	}
	if int64(len(values))*4 != t.bytes() {
		return fmt.Errorf("%d values for shape %v", len(values), t.shape)
	}
	for piece := range slices.Chunk(values, 1<<14) { // their encoding is a copy: keep it small
		if _, err := w.Write(gpu.F32Bytes(piece)); err != nil {
			return err
		}
	}
	return nil
}
