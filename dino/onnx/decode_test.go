package onnx

import (
	"encoding/binary"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The reader of the tests: it knows the fields of onnx.proto by their numbers
// only, and shares nothing with the writer.

// fields are the fields of a message: by number, in order, bytes or numbers.
type fields map[protowire.Number][]field

type field struct {
	bytes  []byte
	number uint64
}

func decode(t *testing.T, data []byte) fields {
	t.Helper()
	f := fields{}
	for len(data) > 0 {
		number, typ, n := protowire.ConsumeTag(data)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		data = data[n:]
		var v field
		switch typ {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(data)
			v.number = uint64(bits)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(data)
		default:
			t.Fatalf("field %d is of wire type %d", number, typ)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		f[number] = append(f[number], v)
		data = data[n:]
	}
	return f
}

func (f fields) text(n protowire.Number) string {
	if len(f[n]) == 0 {
		return ""
	}
	return string(f[n][0].bytes)
}

func (f fields) texts(n protowire.Number) []string {
	var list []string
	for _, v := range f[n] {
		list = append(list, string(v.bytes))
	}
	return list
}

func (f fields) int(n protowire.Number) int {
	if len(f[n]) == 0 {
		return 0
	}
	return int(f[n][0].number)
}

func (f fields) ints(n protowire.Number) []int {
	list := []int{}
	for _, v := range f[n] {
		list = append(list, int(v.number))
	}
	return list
}

// file is what a file holds.
type file struct {
	ir, opset int
	nodes     []fileNode
	floats    map[string]array // constants
	integers  map[string][]int
	input     fileValue
	outputs   []fileValue
	constants []string // in order
}

type fileNode struct {
	name, operator  string
	inputs, outputs []string
	ints            map[string][]int
	floats          map[string]float64
}

// fileValue is an input or an output; -1 stands for the batch.
type fileValue struct {
	name  string
	shape []int
}

func readFile(t *testing.T, data []byte) file {
	t.Helper()
	model := decode(t, data)
	f := file{ir: model.int(1), opset: decode(t, model[8][0].bytes).int(2), floats: map[string]array{}, integers: map[string][]int{}}
	graph := decode(t, model[7][0].bytes)
	for _, v := range graph[1] {
		f.nodes = append(f.nodes, readNode(t, v.bytes))
	}
	for _, v := range graph[5] {
		f.readTensor(t, v.bytes)
	}
	f.input = readValue(t, graph[11][0].bytes)
	for _, v := range graph[12] {
		f.outputs = append(f.outputs, readValue(t, v.bytes))
	}
	return f
}

func readNode(t *testing.T, data []byte) fileNode {
	m := decode(t, data)
	n := fileNode{m.text(3), m.text(4), m.texts(1), m.texts(2), map[string][]int{}, map[string]float64{}}
	for _, v := range m[5] {
		a := decode(t, v.bytes)
		switch name := a.text(1); a.int(20) {
		case 1:
			n.floats[name] = float64(math.Float32frombits(uint32(a.int(2))))
		case 2:
			n.ints[name] = a.ints(3)
		case 7:
			n.ints[name] = a.ints(8)
		default:
			t.Fatalf("attribute %s of %s is of type %d", name, n.name, a.int(20))
		}
	}
	return n
}

func (f *file) readTensor(t *testing.T, data []byte) {
	m := decode(t, data)
	name, shape, raw := m.text(8), m.ints(1), m[9][0].bytes
	f.constants = append(f.constants, name)
	switch m.int(2) {
	case 1:
		x := array{shape: shape}
		for i := 0; i < len(raw); i += 4 {
			x.data = append(x.data, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))))
		}
		f.floats[name] = x
	case 7:
		list := []int{}
		for i := 0; i < len(raw); i += 8 {
			list = append(list, int(int64(binary.LittleEndian.Uint64(raw[i:]))))
		}
		f.integers[name] = list
	default:
		t.Fatalf("tensor %s is of type %d", name, m.int(2))
	}
}

func readValue(t *testing.T, data []byte) fileValue {
	m := decode(t, data)
	tensor := decode(t, decode(t, m[2][0].bytes)[1][0].bytes)
	if tensor.int(1) != 1 {
		t.Fatalf("%s is of type %d", m.text(1), tensor.int(1))
	}
	v := fileValue{name: m.text(1)}
	for _, d := range decode(t, tensor[2][0].bytes)[1] {
		dim := decode(t, d.bytes)
		if dim.text(2) != "" {
			v.shape = append(v.shape, -1)
		} else {
			v.shape = append(v.shape, dim.int(1))
		}
	}
	return v
}
