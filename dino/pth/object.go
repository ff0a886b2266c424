package pth

import (
	"fmt"
	"strings"
)

// A value of a file is nil, a bool, int, float64, string, *List, Tuple, *Dict,
// *Object or *Tensor.

// List is a Python list.
type List struct{ Items []any }

// Tuple is a Python tuple.
type Tuple []any

// Item is a key, a string or an int, with its value.
type Item struct{ Key, Value any }

// Dict is a Python dict or OrderedDict, in its order.
type Dict struct {
	Items []Item
	// Ordered makes an OrderedDict of it when it is written.
	Ordered bool

	index map[any]int
}

// Get returns a key's value, nil if there is none.
func (d *Dict) Get(key any) any {
	if i, ok := d.index[key]; ok {
		return d.Items[i].Value
	}
	return nil
}

// Has reports whether there is a value under key.
func (d *Dict) Has(key any) bool {
	_, ok := d.index[key]
	return ok
}

// Set adds a key, which must be a string or an int, or replaces its value.
func (d *Dict) Set(key, value any) error {
	switch key.(type) {
	case string, int:
	default:
		return fmt.Errorf("a key is %s, not a string or a whole number", kind(key))
	}
	if i, ok := d.index[key]; ok {
		d.Items[i].Value = value
		return nil
	}
	if d.index == nil {
		d.index = map[any]int{}
	}
	d.index[key] = len(d.Items)
	d.Items = append(d.Items, Item{key, value})
	return nil
}

// Object is an instance of a class by its attributes, such as the
// argparse.Namespace of a program's arguments.
type Object struct {
	Class string // with its module
	Attrs Dict
}

// Namespace is the class of parsed command lines.
const Namespace = "argparse.Namespace"

// kind says what a value is, for errors.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a string"
	case *List:
		return "a list"
	case Tuple:
		return "a tuple"
	case *Dict:
		return "a dict"
	case *Object:
		return "a " + v.Class
	case *Tensor:
		return "a tensor"
	case class:
		return "the class " + string(v)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", v), "*pth.")
}
