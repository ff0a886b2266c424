package onnx

import (
	"fmt"
	"strconv"

	"dino-vk/dino"
	"dino-vk/gpu/op"
)

// dataType is the type of a tensor's elements (TensorProto.DataType).
type dataType int64

const (
	float32s dataType = 1
	int64s   dataType = 7
)

// tensor is a constant of the file: floats, which are made when their turn to
// be written comes, or ints.
type tensor struct {
	name   string
	shape  []int
	floats func() ([]float32, error)
	ints   []int
}

// attribute is a named setting of a node: an int, a float32 or []int.
type attribute struct {
	name  string
	value any
}

// node applies an operator of the standard to values by their names.
type node struct {
	operator        string
	inputs, outputs []string
	attributes      []attribute
}

// value is an input or output of the file: f32 (batch, shape...), the batch
// being the runtime's choice.
type value struct {
	name  string
	shape []int
}

// graph is a model in the making. Values are known by their names; a node may
// take what stands before it.
type graph struct {
	input   value
	outputs []value
	nodes   []node
	tensors []tensor

	model  *dino.Model
	params map[string]op.Param
	known  map[string]bool // names of tensors
	scope  string          // begins the names of new values
}

func newGraph(m *dino.Model) *graph {
	g := &graph{model: m, params: map[string]op.Param{}, known: map[string]bool{}}
	for _, p := range m.Params() {
		g.params[p.Name] = p
	}
	return g
}

// node adds a node of one result and returns the result's name.
func (g *graph) node(operator string, inputs []string, attributes ...attribute) string {
	name := g.scope + operator + "." + strconv.Itoa(len(g.nodes))
	g.nodes = append(g.nodes, node{operator, inputs, []string{name}, attributes})
	return name
}

// split cuts x along an axis into so many equal parts.
func (g *graph) split(x string, axis, count int) []string {
	name := g.node("Split", []string{x}, attribute{"axis", axis})
	parts := make([]string, count)
	for i := range parts {
		parts[i] = name + "." + strconv.Itoa(i)
	}
	g.nodes[len(g.nodes)-1].outputs = parts
	return parts
}

// output makes the result (batch, shape...) of the last node an output of the
// file, by this name.
func (g *graph) output(name string, shape ...int) string {
	g.nodes[len(g.nodes)-1].outputs[0] = name
	g.outputs = append(g.outputs, value{name, shape})
	return name
}

// tensor adds a constant, unless there is one of its name, and returns the name.
func (g *graph) tensor(t tensor) string {
	if !g.known[t.name] {
		g.known[t.name] = true
		g.tensors = append(g.tensors, t)
	}
	return t.name
}

// weight is a weight of the model, as it is.
func (g *graph) weight(name string) string {
	return g.tensor(tensor{name: name, shape: g.params[name].Shape, floats: func() ([]float32, error) { return g.read(name) }})
}

// read reads a weight of the model.
func (g *graph) read(name string) ([]float32, error) {
	p := g.params[name]
	values, err := g.model.Values(p)
	if err == nil && len(values) != p.Len() {
		err = fmt.Errorf("%d values of %s, shape %v", len(values), name, p.Shape)
	}
	return values, err
}

// float is a number.
func (g *graph) float(v float32) string {
	return g.tensor(tensor{name: "float " + fmt.Sprint(v), floats: func() ([]float32, error) { return []float32{v}, nil }})
}

// index is a number that counts.
func (g *graph) index(i int) string {
	return g.tensor(tensor{name: "index " + strconv.Itoa(i), ints: []int{i}})
}

// ints is a list of integers.
func (g *graph) ints(list ...int) string {
	return g.tensor(tensor{name: "ints " + fmt.Sprint(list), shape: []int{len(list)}, ints: list})
}

// reshape views x in another shape: 0 keeps a dimension, -1 is what remains.
func (g *graph) reshape(x string, shape ...int) string {
	return g.node("Reshape", []string{x, g.ints(shape...)})
}

// transpose puts axis order[i] of x at i.
func (g *graph) transpose(x string, order ...int) string {
	return g.node("Transpose", []string{x}, attribute{"perm", order})
}

// two is a node of two inputs.
func (g *graph) two(operator, a, b string) string { return g.node(operator, []string{a, b}) }

// linear is x Wᵀ + b of x (rows, in) with the weight and bias of a layer.
func (g *graph) linear(x, layer string) string {
	return g.node("Gemm", []string{x, g.weight(layer + ".weight"), g.weight(layer + ".bias")}, attribute{"transB", 1})
}
