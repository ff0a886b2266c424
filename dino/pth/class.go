package pth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// class is a class or function that a pickle names, with its module.
type class string

// The classes that checkpoints hold besides the storages.
const (
	orderedDict      class = "collections.OrderedDict"
	namespace        class = Namespace
	rebuildTensor    class = "torch._utils._rebuild_tensor_v2"
	rebuildParameter class = "torch._utils._rebuild_parameter"
	torchSize        class = "torch.Size"
	encodeText       class = "_codecs.encode" // how protocol 2 stores bytes
	numpyType        class = "numpy.dtype"
	numpyScalar      class = "numpy.core.multiarray.scalar" // learning rates come from a NumPy array
	numpyScalar2     class = "numpy._core.multiarray.scalar"
	posixPath        class = "pathlib.PosixPath" // arguments of runs by run_with_submitit.py
)

var classes = []class{
	orderedDict, namespace, rebuildTensor, rebuildParameter, torchSize,
	encodeText, numpyType, numpyScalar, numpyScalar2, posixPath,
}

func (c class) known() bool {
	return slices.Contains(classes, c) || storageTypes[string(c)] != ""
}

// call does for a class what calling it in Python would do.
func (c class) call(args Tuple) (any, error) {
	switch c {
	case orderedDict:
		if len(args) == 0 {
			return &Dict{Ordered: true}, nil
		}
	case namespace:
		if len(args) == 0 {
			return &Object{Class: string(c)}, nil
		}
	case rebuildTensor:
		return tensorOf(args)
	case rebuildParameter:
		if len(args) > 0 {
			if t, ok := args[0].(*Tensor); ok {
				return t, nil
			}
		}
	case torchSize:
		if len(args) == 1 {
			if t, ok := args[0].(Tuple); ok {
				return t, nil
			}
		}
	case encodeText:
		return encode(args)
	case numpyType:
		if len(args) > 0 {
			if name, ok := args[0].(string); ok {
				return &scalarType{name, "|"}, nil
			}
		}
	case numpyScalar, numpyScalar2:
		return scalar(args)
	case posixPath:
		return joinPath(args)
	}
	return nil, fmt.Errorf("%s with arguments that checkpoints do not hold", string(c))
}

// tensorOf is _rebuild_tensor_v2(storage, offset, size, stride, requires_grad,
// backward_hooks).
func tensorOf(args Tuple) (*Tensor, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := integers(args[2])
	stride, ok4 := integers(args[3])
	if !ok || !ok2 || !ok3 || !ok4 {
		return nil, fmt.Errorf("a tensor of %s, %s, %s and %s", kind(args[0]), kind(args[1]), kind(args[2]), kind(args[3]))
	}
	return newTensor(s, offset, shape, stride)
}

// maxDims bounds a tensor's dimensions.
const maxDims = 64

func integers(v any) ([]int, bool) {
	t, ok := v.(Tuple)
	if !ok || len(t) > maxDims {
		return nil, false
	}
	list := make([]int, len(t))
	for i, x := range t {
		if list[i], ok = x.(int); !ok {
			return nil, false
		}
	}
	return list, true
}

// scalarBytes are the bytes of a NumPy scalar.
type scalarBytes []byte

// encode is "…".encode("latin1") of a few bytes.
func encode(args Tuple) (scalarBytes, error) {
	if len(args) == 2 && args[1] == any("latin1") {
		if text, ok := args[0].(string); ok && len(text) <= 32 && utf8.ValidString(text) {
			var b scalarBytes
			for _, r := range text {
				b = append(b, byte(r))
			}
			return b, nil
		}
	}
	return nil, errors.New("bytes that are no number")
}

// scalarType is a NumPy type: its name, as f8, and its byte order.
type scalarType struct{ name, order string }

func scalar(args Tuple) (any, error) {
	if len(args) == 2 {
		t, ok := args[0].(*scalarType)
		b, ok2 := args[1].(scalarBytes)
		if ok && ok2 && t.order != ">" {
			switch {
			case t.name == "f8" && len(b) == 8:
				return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
			case t.name == "f4" && len(b) == 4:
				return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
			case t.name == "i8" && len(b) == 8:
				return int(binary.LittleEndian.Uint64(b)), nil
			case t.name == "b1" && len(b) == 1:
				return b[0] != 0, nil
			}
		}
	}
	return nil, errors.New("a NumPy scalar that is no f8, f4, i8 or b1")
}

// joinPath is PosixPath(part, …) as a string.
func joinPath(args Tuple) (string, error) {
	var parts []string
	size := 0
	for _, a := range args {
		part, ok := a.(string)
		if size += len(part) + 1; !ok || size > 4096 {
			return "", errors.New("a path of something else than names")
		}
		parts = append(parts, part)
	}
	return strings.Replace(strings.Join(parts, "/"), "//", "/", 1), nil
}

// build gives an object its state.
func build(v, state any) error {
	switch v := v.(type) {
	case *Object:
		d, ok := state.(*Dict)
		if !ok {
			return fmt.Errorf("%s of %s", v.Class, kind(state))
		}
		for _, item := range d.Items {
			if err := v.Attrs.Set(item.Key, item.Value); err != nil {
				return err
			}
		}
		return nil
	case *Dict: // a state dict's _metadata: version numbers of its modules
		return nil
	case *scalarType:
		if t, ok := state.(Tuple); ok && len(t) > 1 {
			if order, ok := t[1].(string); ok {
				v.order = order
				return nil
			}
		}
	}
	return fmt.Errorf("a state for %s", kind(v))
}

// split gives the module and the name.
func (c class) split() (module, name string) {
	i := strings.LastIndexByte(string(c), '.')
	return string(c)[:i], string(c)[i+1:]
}
