package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Address, as a field of push constants, is the number of the argument whose
// address the shader gets there as a uvec2; for devices with BufferDeviceAddress.
type Address uint32

// block is an encoded struct.
type block struct {
	bytes     []byte
	fields    []field
	addresses map[int]Address // by the byte where each belongs
}

// encodePush lays a struct out as a push-constant block and checks that it
// has the block's fields: names (without regard to case and underscores),
// order and types.
func encodePush(push any, want []field) (block, error) {
	if push == nil {
		if len(want) != 0 {
			return block{}, errors.New("the shader wants push constants")
		}
		return block{}, nil
	}
	b, err := encodeFields(push)
	if err != nil {
		return block{}, err
	}
	if err := sameFields(b.fields, want); err != nil {
		return block{}, fmt.Errorf("push constants %T: %w", push, err)
	}
	return b, nil
}

// encodeFields lists and encodes the fields of a struct of 4-byte scalars, arrays
// of them and addresses, which are left 0.
func encodeFields(v any) (block, error) {
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.Struct {
		return block{}, fmt.Errorf("%T is no struct", v)
	}
	b := block{addresses: map[int]Address{}}
	for i := range s.NumField() {
		name, list := s.Type().Field(i).Name, []reflect.Value{s.Field(i)}
		if arg, ok := s.Field(i).Interface().(Address); ok {
			b.addresses[len(b.bytes)] = arg
			list = []reflect.Value{reflect.ValueOf(uint32(0)), reflect.ValueOf(uint32(0))}
		}
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
				return block{}, fmt.Errorf("field %s of %T is no 4-byte scalar", name, v)
			}
			b.fields = append(b.fields, field{name, uint32(len(b.bytes)), kind})
			b.bytes = binary.LittleEndian.AppendUint32(b.bytes, bits)
		}
	}
	return b, nil
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
func CheckBlock(moduleName, name string, mirror any) error {
	m, err := loadModule(moduleName)
	if err != nil {
		return err
	}
	got, err := encodeFields(mirror)
	if err != nil {
		return err
	}
	for _, b := range m.bindings {
		if b.name == name {
			return sameFields(got.fields, b.fields)
		}
	}
	return fmt.Errorf("gpu: module %s has no block %s", moduleName, name)
}

// Encode gives a struct of 4-byte scalars as the bytes of a buffer.
func Encode(v any) ([]byte, error) {
	b, err := encodeFields(v)
	return b.bytes, err
}
