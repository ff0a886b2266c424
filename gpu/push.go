package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// encodePush lays a struct out as a push-constant block and checks that it
// has the block's fields: names (without regard to case and underscores),
// order and types.
func encodePush(push any, block []field) ([]byte, error) {
	if push == nil {
		if len(block) != 0 {
			return nil, errors.New("the shader wants push constants")
		}
		return nil, nil
	}
	bytes, fields, err := encodeFields(push)
	if err != nil {
		return nil, err
	}
	if err := sameFields(fields, block); err != nil {
		return nil, fmt.Errorf("push constants %T: %w", push, err)
	}
	return bytes, nil
}

// encodeFields lists and encodes the fields of a struct of 4-byte scalars and
// arrays of them.
func encodeFields(v any) ([]byte, []field, error) {
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.Struct {
		return nil, nil, fmt.Errorf("%T is no struct", v)
	}
	var bytes []byte
	var fields []field
	for i := range s.NumField() {
		name, list := s.Type().Field(i).Name, []reflect.Value{s.Field(i)}
		if f := s.Field(i); f.Kind() == reflect.Array {
			list = list[:0]
			for j := range f.Len() {
				list = append(list, f.Index(j))
			}
		}
		for _, f := range list {
			var kind Type
			var bits uint32
			switch f.Kind() {
			case reflect.Float32:
				kind, bits = F32, math.Float32bits(float32(f.Float()))
			case reflect.Uint32:
				kind, bits = U32, uint32(f.Uint())
			case reflect.Int32:
				kind, bits = I32, uint32(f.Int())
			default:
				return nil, nil, fmt.Errorf("field %s of %T is no 4-byte scalar", name, v)
			}
			fields = append(fields, field{name, uint32(len(bytes)), kind})
			bytes = binary.LittleEndian.AppendUint32(bytes, bits)
		}
	}
	return bytes, fields, nil
}

func sameFields(got, want []field) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("the shader's field %s is missing", want[i].name)
		case i >= len(want):
			return fmt.Errorf("the shader has no field %s", got[i].name)
		case plainName(got[i].name) != plainName(want[i].name) || got[i].kind != want[i].kind || got[i].offset != want[i].offset:
			return fmt.Errorf("field %+v, but the shader has %+v", got[i], want[i])
		}
	}
	return nil
}

func plainName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

// CheckBlock compares a struct with the fixed part of a module's buffer block:
// its mirror in Go must have the same fields at the same offsets.
func CheckBlock(moduleName, block string, mirror any) error {
	m, err := loadModule(moduleName)
	if err != nil {
		return err
	}
	_, fields, err := encodeFields(mirror)
	if err != nil {
		return err
	}
	for _, b := range m.bindings {
		if b.name == block {
			return sameFields(fields, b.fields)
		}
	}
	return fmt.Errorf("gpu: module %s has no block %s", moduleName, block)
}

// Encode gives a struct of 4-byte scalars as the bytes of a buffer.
func Encode(v any) ([]byte, error) {
	bytes, _, err := encodeFields(v)
	return bytes, err
}
