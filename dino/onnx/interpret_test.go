package onnx

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// array is a value in float64. roundings bounds, in units of the largest
// element's rounding, what computing it in float32 typically adds up to: √n for
// every sum of n terms on the longest way from the inputs.
type array struct {
	shape     []int
	data      []float64
	roundings float64
}

func newArray(roundings float64, shape ...int) array {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return array{shape, make([]float64, n), roundings}
}

// strides are the steps of the axes in the data.
func (a array) strides() []int {
	s := make([]int, len(a.shape))
	step := 1
	for i := len(s) - 1; i >= 0; i-- {
		s[i] = step
		step *= a.shape[i]
	}
	return s
}

// each visits all indices of a shape in order.
func each(shape []int, visit func(index []int)) {
	index := make([]int, len(shape))
	for {
		visit(index)
		axis := len(shape) - 1
		for ; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

// at is where an index lies in the data; axes of length 1 are repeated, and
// missing leading ones too.
func (a array) at(index []int) int {
	at := 0
	index = index[len(index)-len(a.shape):]
	for i, s := range a.strides() {
		if a.shape[i] > 1 {
			at += s * index[i]
		}
	}
	return at
}

// interpret computes the outputs of a file by the definitions of ONNX's
// operators. A name that nothing defines, an operator or an attribute that the
// definitions below lack, and a shape that does not fit fail the test.
func (f file) interpret(t *testing.T, image array) map[string]array {
	t.Helper()
	values := map[string]array{f.input.name: image}
	for name, x := range f.floats {
		values[name] = x
	}
	for _, n := range f.nodes {
		in := inputs{t: t, node: n}
		for _, name := range n.inputs {
			x, isFloat := values[name]
			list, isInt := f.integers[name]
			if !isFloat && !isInt {
				t.Fatalf("%s takes %q, which nothing before it defines", n.name, name)
			}
			in.floats = append(in.floats, x)
			in.integers = append(in.integers, list)
		}
		compute := operators[n.operator]
		if compute == nil {
			t.Fatalf("%s is a %s, which is unknown", n.name, n.operator)
		}
		results := compute(&in)
		for name := range n.ints {
			if !slices.Contains(in.used, name) {
				t.Fatalf("%s: attribute %s is unknown", n.name, name)
			}
		}
		if len(results) != len(n.outputs) {
			t.Fatalf("%s names %d results of %d", n.name, len(n.outputs), len(results))
		}
		for i, name := range n.outputs {
			if _, ok := values[name]; ok {
				t.Fatalf("%q is defined twice", name)
			}
			values[name] = results[i]
		}
	}
	return values
}

// inputs are what a node takes.
type inputs struct {
	t        *testing.T
	node     fileNode
	floats   []array
	integers [][]int
	used     []string
}

func (in *inputs) fail(format string, args ...any) {
	in.t.Helper()
	in.t.Fatalf("%s: %s", in.node.name, fmt.Sprintf(format, args...))
}

// ints is an attribute.
func (in *inputs) ints(name string, otherwise ...int) []int {
	in.used = append(in.used, name)
	if list, ok := in.node.ints[name]; ok {
		return list
	}
	return otherwise
}

var operators = map[string]func(*inputs) []array{
	"Add":  elementwise(func(a, b float64) float64 { return a + b }),
	"Sub":  elementwise(func(a, b float64) float64 { return a - b }),
	"Mul":  elementwise(func(a, b float64) float64 { return a * b }),
	"Div":  elementwise(func(a, b float64) float64 { return a / b }),
	"Pow":  elementwise(math.Pow),
	"Sqrt": each1(math.Sqrt), "Erf": each1(math.Erf), "Relu": each1(func(x float64) float64 { return max(x, 0) }),
	"BatchNormalization": batchNormalization, "MaxPool": maxPool, "GlobalAveragePool": globalAveragePool,
	"Conv": conv, "Gemm": gemm, "MatMul": matMul, "Softmax": softmax, "ReduceMean": reduceMean,
	"Reshape": reshape, "Transpose": transpose, "Pad": pad, "Split": split, "Slice": slice, "Gather": gather,
}

// elementwise applies f to two arrays that are broadcast to one shape.
func elementwise(f func(a, b float64) float64) func(*inputs) []array {
	return func(in *inputs) []array {
		a, b := in.floats[0], in.floats[1]
		shape := slices.Clone(a.shape)
		if len(b.shape) > len(shape) {
			in.fail("%v and %v", a.shape, b.shape)
		}
		for i, d := range b.shape {
			axis := len(shape) - len(b.shape) + i
			if d != 1 && shape[axis] != 1 && d != shape[axis] {
				in.fail("%v and %v", a.shape, b.shape)
			}
			shape[axis] = max(d, shape[axis])
		}
		y := newArray(max(a.roundings, b.roundings)+1, shape...)
		i := 0
		each(shape, func(index []int) {
			y.data[i] = f(a.data[a.at(index)], b.data[b.at(index)])
			i++
		})
		return []array{y}
	}
}

func each1(f func(float64) float64) func(*inputs) []array {
	return func(in *inputs) []array {
		x := in.floats[0]
		y := newArray(x.roundings+1, x.shape...)
		for i, v := range x.data {
			y.data[i] = f(v)
		}
		return []array{y}
	}
}

// sliding is a window (height, width) that moves over x (n, C, H, W).
type sliding struct {
	x                     array
	kernel, strides, pads []int
}

func (in *inputs) sliding() sliding {
	s := sliding{in.floats[0], in.ints("kernel_shape"), in.ints("strides", 1, 1), in.ints("pads", 0, 0, 0, 0)}
	if len(s.x.shape) != 4 || len(s.kernel) != 2 || len(s.strides) != 2 || len(s.pads) != 4 {
		in.fail("a window of %v, strides %v, pads %v over %v", s.kernel, s.strides, s.pads, s.x.shape)
	}
	return s
}

// out is the number of places of the window along an axis.
func (s sliding) out(axis int) int {
	return (s.x.shape[2+axis]+s.pads[axis]+s.pads[2+axis]-s.kernel[axis])/s.strides[axis] + 1
}

// each visits the pixels of a channel that lie in the window at row and col;
// tap is their place in it.
func (s sliding) each(image, channel, row, col int, visit func(tap int, v float64)) {
	height, width := s.x.shape[2], s.x.shape[3]
	plane := s.x.data[(image*s.x.shape[1]+channel)*height*width:]
	each(s.kernel, func(tap []int) {
		r, c := row*s.strides[0]-s.pads[0]+tap[0], col*s.strides[1]-s.pads[1]+tap[1]
		if r >= 0 && r < height && c >= 0 && c < width {
			visit(tap[0]*s.kernel[1]+tap[1], plane[r*width+c])
		}
	})
}

func conv(in *inputs) []array {
	s, w := in.sliding(), in.floats[1]
	if s.x.shape[1] != w.shape[1] || !slices.Equal(s.kernel, w.shape[2:]) {
		in.fail("%v with %v, kernel %v", s.x.shape, w.shape, s.kernel)
	}
	taps := s.kernel[0] * s.kernel[1]
	y := newArray(s.x.roundings+math.Sqrt(float64(taps*w.shape[1])), s.x.shape[0], w.shape[0], s.out(0), s.out(1))
	i := 0
	each(y.shape, func(at []int) {
		if len(in.floats) > 2 {
			y.data[i] = in.floats[2].data[at[1]]
		}
		for channel := range w.shape[1] {
			weights := w.data[(at[1]*w.shape[1]+channel)*taps:]
			s.each(at[0], channel, at[2], at[3], func(tap int, v float64) { y.data[i] += v * weights[tap] })
		}
		i++
	})
	return []array{y}
}

func maxPool(in *inputs) []array {
	s := in.sliding()
	y := newArray(s.x.roundings, s.x.shape[0], s.x.shape[1], s.out(0), s.out(1))
	i := 0
	each(y.shape, func(at []int) {
		y.data[i] = math.Inf(-1)
		s.each(at[0], at[1], at[2], at[3], func(_ int, v float64) { y.data[i] = max(y.data[i], v) })
		i++
	})
	return []array{y}
}

// globalAveragePool is the mean of each channel: (n, C, 1, 1).
func globalAveragePool(in *inputs) []array {
	x := in.floats[0]
	pixels := x.shape[2] * x.shape[3]
	y := newArray(x.roundings+math.Sqrt(float64(pixels)), x.shape[0], x.shape[1], 1, 1)
	for i, v := range x.data {
		y.data[i/pixels] += v / float64(pixels)
	}
	return []array{y}
}

// batchNormalization takes scale, bias, mean and variance of the channels.
func batchNormalization(in *inputs) []array {
	x, scale, bias, mean, variance := in.floats[0], in.floats[1], in.floats[2], in.floats[3], in.floats[4]
	y := newArray(x.roundings+4, x.shape...)
	pixels, channels := x.shape[2]*x.shape[3], x.shape[1]
	for i, v := range x.data {
		c := i / pixels % channels
		y.data[i] = (v-mean.data[c])/math.Sqrt(variance.data[c]+in.node.floats["epsilon"])*scale.data[c] + bias.data[c]
	}
	return []array{y}
}

// gemm is A Bᵀ + C.
func gemm(in *inputs) []array {
	a, b, c := in.floats[0], in.floats[1], in.floats[2]
	if in.ints("transB", 0)[0] != 1 || len(a.shape) != 2 || a.shape[1] != b.shape[1] || !slices.Equal(c.shape, b.shape[:1]) {
		in.fail("%v, %v, %v", a.shape, b.shape, c.shape)
	}
	rows, cols, depth := a.shape[0], b.shape[0], a.shape[1]
	y := newArray(a.roundings+math.Sqrt(float64(depth)), rows, cols)
	for i := range rows {
		for j := range cols {
			sum := c.data[j]
			for k := range depth {
				sum += a.data[i*depth+k] * b.data[j*depth+k]
			}
			y.data[i*cols+j] = sum
		}
	}
	return []array{y}
}

// matMul multiplies the matrices of the last two axes.
func matMul(in *inputs) []array {
	a, b := in.floats[0], in.floats[1]
	last := len(a.shape) - 1
	if last != len(b.shape)-1 || !slices.Equal(a.shape[:last-1], b.shape[:last-1]) || a.shape[last] != b.shape[last-1] {
		in.fail("%v and %v", a.shape, b.shape)
	}
	rows, depth, cols := a.shape[last-1], a.shape[last], b.shape[last]
	shape := append(slices.Clone(a.shape[:last]), cols)
	y := newArray(max(a.roundings, b.roundings)+math.Sqrt(float64(depth)), shape...)
	for i := range y.data {
		matrix, row, col := i/(rows*cols), i/cols%rows, i%cols
		for k := range depth {
			y.data[i] += a.data[(matrix*rows+row)*depth+k] * b.data[(matrix*depth+k)*cols+col]
		}
	}
	return []array{y}
}

// softmax is over the last axis.
func softmax(in *inputs) []array {
	x := in.floats[0]
	if axis := in.ints("axis", -1)[0]; axis != -1 {
		in.fail("axis %d", axis)
	}
	n := x.shape[len(x.shape)-1]
	y := newArray(x.roundings+math.Sqrt(float64(n)), x.shape...)
	for at := 0; at < len(x.data); at += n {
		most, sum := slices.Max(x.data[at:at+n]), 0.0
		for i := at; i < at+n; i++ {
			y.data[i] = math.Exp(x.data[i] - most)
			sum += y.data[i]
		}
		for i := at; i < at+n; i++ {
			y.data[i] /= sum
		}
	}
	return []array{y}
}

// reduceMean keeps the axes, with length 1.
func reduceMean(in *inputs) []array {
	x := in.floats[0]
	shape, n := slices.Clone(x.shape), 1
	for _, axis := range in.ints("axes") {
		n *= shape[axis]
		shape[axis] = 1
	}
	y := newArray(x.roundings+math.Sqrt(float64(n)), shape...)
	i := 0
	each(x.shape, func(index []int) {
		y.data[y.at(index)] += x.data[i] / float64(n)
		i++
	})
	return []array{y}
}

func reshape(in *inputs) []array {
	x, shape := in.floats[0], slices.Clone(in.integers[1])
	known, open := 1, -1
	for i, d := range shape {
		switch d {
		case -1:
			open = i
			continue
		case 0:
			shape[i] = x.shape[i]
		}
		known *= shape[i]
	}
	if open >= 0 {
		shape[open] = len(x.data) / known
		known *= shape[open]
	}
	if known != len(x.data) {
		in.fail("%v as %v", x.shape, in.integers[1])
	}
	return []array{{shape, x.data, x.roundings}}
}

func transpose(in *inputs) []array {
	x, order := in.floats[0], in.ints("perm")
	shape := make([]int, len(order))
	for i, axis := range order {
		shape[i] = x.shape[axis]
	}
	y := newArray(x.roundings, shape...)
	from, i := make([]int, len(order)), 0
	each(shape, func(index []int) {
		for k, axis := range order {
			from[axis] = index[k]
		}
		y.data[i] = x.data[x.at(from)]
		i++
	})
	return []array{y}
}

// pad surrounds x with zeros.
func pad(in *inputs) []array {
	x, pads := in.floats[0], in.integers[1]
	rank := len(x.shape)
	if len(pads) != 2*rank {
		in.fail("%v of %v", pads, x.shape)
	}
	shape := slices.Clone(x.shape)
	for i := range shape {
		shape[i] += pads[i] + pads[rank+i]
	}
	y := newArray(x.roundings, shape...)
	to, i := make([]int, rank), 0
	each(x.shape, func(index []int) {
		for k := range to {
			to[k] = index[k] + pads[k]
		}
		y.data[y.at(to)] = x.data[i]
		i++
	})
	return []array{y}
}

// split cuts x into equal parts.
func split(in *inputs) []array {
	x, axis := in.floats[0], in.ints("axis", 0)[0]
	count := len(in.node.outputs)
	if x.shape[axis]%count != 0 {
		in.fail("%d parts of %v", count, x.shape)
	}
	n := x.shape[axis] / count
	var parts []array
	for i := range count {
		parts = append(parts, x.part(axis, i*n, (i+1)*n))
	}
	return parts
}

// slice takes starts, ends and axes, of one axis here.
func slice(in *inputs) []array {
	return []array{in.floats[0].part(in.integers[3][0], in.integers[1][0], in.integers[2][0])}
}

// gather takes one index, and the axis with it.
func gather(in *inputs) []array {
	axis, i := in.ints("axis", 0)[0], in.integers[1][0]
	y := in.floats[0].part(axis, i, i+1)
	y.shape = slices.Delete(y.shape, axis, axis+1)
	return []array{y}
}

// part is x from first to end of an axis.
func (a array) part(axis, first, end int) array {
	shape := slices.Clone(a.shape)
	shape[axis] = end - first
	y := newArray(a.roundings, shape...)
	i, step := 0, a.strides()[axis]
	each(shape, func(index []int) {
		y.data[i] = a.data[a.at(index)+first*step]
		i++
	})
	return y
}
