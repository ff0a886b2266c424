package pth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxPickle bounds a pickle, and with it all memory that reading it takes (some
// sixty bytes for each of its); a tensor needs 120 bytes of it.
const maxPickle = 2 << 20

// The instructions of pickle protocol 2 that torch.save writes
// (https://docs.python.org/3/library/pickletools.html).
const (
	opProto          = 0x80
	opStop           = '.'
	opMark           = '('
	opEmptyTuple     = ')'
	opTuple          = 't'
	opTuple1         = 0x85
	opTuple2         = 0x86
	opTuple3         = 0x87
	opEmptyList      = ']'
	opAppend         = 'a'
	opAppends        = 'e'
	opEmptyDict      = '}'
	opSetItem        = 's'
	opSetItems       = 'u'
	opNone           = 'N'
	opTrue           = 0x88
	opFalse          = 0x89
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opBinInt2        = 'M'
	opLong1          = 0x8a
	opBinFloat       = 'G'
	opBinUnicode     = 'X'
	opShortBinString = 'U'
	opGlobal         = 'c'
	opBinPersID      = 'Q'
	opReduce         = 'R'
	opNewObj         = 0x81
	opBuild          = 'b'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opBinGet         = 'h'
	opLongBinGet     = 'j'
)

// unpickler is the machine that a pickle is a program of.
type unpickler struct {
	b     []byte // what is left
	stack []any
	marks []int // heights of the stack
	memo  map[uint32]any

	// storage finds the storage that a persistent id names.
	storage func(id Tuple) (*storage, error)
}

// load reads one pickle and returns its value and the bytes after it.
func (u *unpickler) load() (any, []byte, error) {
	u.memo = map[uint32]any{}
	for {
		op, err := u.take(1)
		if err != nil {
			return nil, nil, err
		}
		if op[0] == opStop {
			v, err := u.pop()
			return v, u.b, err
		}
		if err := u.do(op[0]); err != nil {
			if place := u.place(); place != "" {
				err = fmt.Errorf("%q: %w", place, err)
			}
			return nil, nil, err
		}
	}
}

// do carries out one instruction.
func (u *unpickler) do(op byte) error {
	switch op {
	case opMark:
		u.marks = append(u.marks, len(u.stack))
	case opEmptyTuple:
		u.push(Tuple{})
	case opEmptyList:
		u.push(&List{})
	case opEmptyDict:
		u.push(&Dict{})
	case opNone:
		u.push(nil)
	case opTrue, opFalse:
		u.push(op == opTrue)
	case opTuple1, opTuple2, opTuple3:
		return u.tuple(int(op) - opTuple1 + 1)
	case opTuple:
		items, err := u.sinceMark()
		if err != nil {
			return err
		}
		u.push(Tuple(items))
	case opAppend, opAppends:
		return u.extend(op)
	case opSetItem, opSetItems:
		return u.setItems(op)
	case opProto, opBinInt, opBinInt1, opBinInt2, opLong1, opBinFloat, opBinUnicode, opShortBinString:
		return u.literal(op)
	case opBinPut, opLongBinPut, opBinGet, opLongBinGet:
		return u.remember(op)
	case opGlobal, opBinPersID, opReduce, opNewObj, opBuild:
		return u.object(op)
	default:
		return fmt.Errorf("instruction %#x is not one that torch.save writes", op)
	}
	return nil
}

// literal pushes a number or a string.
func (u *unpickler) literal(op byte) error {
	sizes := map[byte]int{opProto: 1, opBinInt: 4, opBinInt1: 1, opBinInt2: 2, opLong1: 1, opBinFloat: 8, opBinUnicode: 4, opShortBinString: 1}
	b, err := u.take(sizes[op])
	if err != nil {
		return err
	}
	switch op {
	case opProto:
		if b[0] > 2 {
			return fmt.Errorf("pickle protocol %d; torch.save writes 2 unless told otherwise", b[0])
		}
	case opBinInt:
		u.push(int(int32(binary.LittleEndian.Uint32(b))))
	case opBinInt1:
		u.push(int(b[0]))
	case opBinInt2:
		u.push(int(binary.LittleEndian.Uint16(b)))
	case opLong1:
		return u.long(int(b[0]))
	case opBinFloat:
		u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case opBinUnicode:
		return u.text(int(binary.LittleEndian.Uint32(b)))
	case opShortBinString:
		return u.text(int(b[0]))
	}
	return nil
}

// long pushes a little-endian two's complement number of n bytes.
func (u *unpickler) long(n int) error {
	b, err := u.take(n)
	if err != nil {
		return err
	}
	if n > 8 {
		return fmt.Errorf("a whole number of %d bytes", n)
	}
	v := uint64(0)
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	shift := 64 - 8*n
	u.push(int(int64(v<<shift) >> shift))
	return nil
}

func (u *unpickler) text(n int) error {
	b, err := u.take(n)
	if err != nil {
		return err
	}
	u.push(string(b))
	return nil
}

// extend appends to a list.
func (u *unpickler) extend(op byte) error {
	items, err := u.arguments(op == opAppends, 1)
	if err != nil {
		return err
	}
	list, ok := u.top().(*List)
	if !ok {
		return fmt.Errorf("appending to %s", kind(u.top()))
	}
	list.Items = append(list.Items, items...)
	return nil
}

// setItems sets keys of a dict.
func (u *unpickler) setItems(op byte) error {
	items, err := u.arguments(op == opSetItems, 2)
	if err != nil {
		return err
	}
	d, ok := u.top().(*Dict)
	if !ok || len(items)%2 != 0 {
		return fmt.Errorf("setting items of %s from %d values", kind(u.top()), len(items))
	}
	for i := 0; i < len(items); i += 2 {
		if err := d.Set(items[i], items[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// arguments pops all values since the last mark, or n.
func (u *unpickler) arguments(marked bool, n int) ([]any, error) {
	if marked {
		return u.sinceMark()
	}
	return u.popN(n)
}

// remember keeps the top of the stack in the memo or pushes what is there.
func (u *unpickler) remember(op byte) error {
	n := 1
	if op == opLongBinPut || op == opLongBinGet {
		n = 4
	}
	b, err := u.take(n)
	if err != nil {
		return err
	}
	key := uint32(b[0])
	if n == 4 {
		key = binary.LittleEndian.Uint32(b)
	}
	if op == opBinPut || op == opLongBinPut {
		if len(u.stack) == 0 {
			return errStack
		}
		u.memo[key] = u.top()
		return nil
	}
	v, ok := u.memo[key]
	if !ok {
		return fmt.Errorf("memo %d is empty", key)
	}
	u.push(v)
	return nil
}

// object carries out the instructions that in Python could run anything.
func (u *unpickler) object(op byte) error {
	switch op {
	case opGlobal:
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		if err != nil {
			return err
		}
		c := class(module + "." + name)
		if !c.known() {
			return fmt.Errorf("class %q: nothing of that kind belongs into a file of weights", string(c))
		}
		u.push(c)
		return nil
	case opBinPersID:
		v, err := u.pop()
		if err != nil {
			return err
		}
		id, ok := v.(Tuple)
		if !ok {
			return fmt.Errorf("%s for a storage", kind(v))
		}
		s, err := u.storage(id)
		if err != nil {
			return err
		}
		u.push(s)
		return nil
	}
	pair, err := u.popN(2)
	if err != nil {
		return err
	}
	if op == opBuild {
		u.push(pair[0])
		return build(pair[0], pair[1])
	}
	c, ok := pair[0].(class)
	args, ok2 := pair[1].(Tuple)
	if !ok || !ok2 {
		return fmt.Errorf("calling %s with %s", kind(pair[0]), kind(pair[1]))
	}
	v, err := c.call(args)
	if err != nil {
		return err
	}
	u.push(v)
	return nil
}

var (
	errStack = errors.New("an instruction finds too few values")
	errCut   = errors.New("the pickle ends too early")
)

func (u *unpickler) take(n int) ([]byte, error) {
	if n > len(u.b) {
		return nil, errCut
	}
	b := u.b[:n]
	u.b = u.b[n:]
	return b, nil
}

func (u *unpickler) line() (string, error) {
	i := bytes.IndexByte(u.b, '\n')
	if i < 0 || i > 200 {
		return "", errors.New("a class without a name")
	}
	text := string(u.b[:i])
	u.b = u.b[i+1:]
	return text, nil
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// top is the last value, nil if there is none.
func (u *unpickler) top() any {
	if len(u.stack) == 0 {
		return nil
	}
	return u.stack[len(u.stack)-1]
}

func (u *unpickler) pop() (any, error) {
	v, err := u.popN(1)
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

// popN pops the last n values, none of them from below the last mark.
func (u *unpickler) popN(n int) ([]any, error) {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	at := len(u.stack) - n
	if at < floor {
		return nil, errStack
	}
	return u.cut(at), nil
}

func (u *unpickler) sinceMark() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, errors.New("a mark is missing")
	}
	at := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	return u.cut(at), nil
}

// cut takes the values from a height of the stack.
func (u *unpickler) cut(at int) []any {
	items := append([]any(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return items
}

func (u *unpickler) tuple(n int) error {
	items, err := u.popN(n)
	if err != nil {
		return err
	}
	u.push(Tuple(items))
	return nil
}

// place is where in the file the last value stands: the keys of the innermost
// open dicts. A value follows its key, and a mark the dict or list that it fills.
func (u *unpickler) place() string {
	var keys []string
	end := len(u.stack)
	for i := len(u.marks); i >= 0 && end >= 0 && len(keys) < 4; i-- {
		start := 0
		if i > 0 {
			start = u.marks[i-1]
		}
		for at := end - 1; at >= start; at-- {
			if key, ok := u.stack[at].(string); ok {
				keys = append([]string{clip(key)}, keys...)
				break
			}
		}
		end = start - 1
	}
	return strings.Join(keys, "/")
}

// clip bounds a file's text in an error.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}
