package pth

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"dino-vk/dino/safetensors"
)

// Write writes a file that torch.load reads: a value as in File.Root, whose
// tensors are *safetensors.Entry. Their data are asked for in the order in
// which they stand, and one that stands in several places is stored once.
func Write(w io.Writer, root any) error {
	p := pickler{keys: map[*safetensors.Entry]int{}}
	p.op(opProto, 2)
	if err := p.value(root); err != nil {
		return fmt.Errorf("pth: %w", err)
	}
	p.op(opStop)
	out := &counter{w: bufio.NewWriterSize(w, 1<<16)}
	z := &archive{zip: zip.NewWriter(out), out: out}
	if err := z.record("data.pkl", p.out.Bytes()); err != nil {
		return err
	}
	for i, e := range p.entries {
		if err := z.tensor("data/"+strconv.Itoa(i), e); err != nil {
			return err
		}
	}
	if err := z.record("version", []byte("3\n")); err != nil {
		return err
	}
	if err := z.zip.Close(); err != nil {
		return fmt.Errorf("pth: %w", err)
	}
	if err := out.w.Flush(); err != nil {
		return fmt.Errorf("pth: %w", err)
	}
	return nil
}

// pickler writes the instructions that make a value.
type pickler struct {
	out     bytes.Buffer
	keys    map[*safetensors.Entry]int
	entries []*safetensors.Entry // by storage
}

func (p *pickler) op(op byte, args ...byte) {
	p.out.WriteByte(op)
	p.out.Write(args)
}

func (p *pickler) value(v any) error {
	switch v := v.(type) {
	case nil:
		p.op(opNone)
	case bool:
		if v {
			p.op(opTrue)
		} else {
			p.op(opFalse)
		}
	case int:
		p.number(v)
	case float64:
		p.op(opBinFloat, binary.BigEndian.AppendUint64(nil, math.Float64bits(v))...)
	case string:
		p.op(opBinUnicode, binary.LittleEndian.AppendUint32(nil, uint32(len(v)))...)
		p.out.WriteString(v)
	case Tuple:
		p.op(opMark)
		if err := p.values(v); err != nil {
			return err
		}
		p.op(opTuple)
	case *List:
		p.op(opEmptyList)
		p.op(opMark)
		if err := p.values(v.Items); err != nil {
			return err
		}
		p.op(opAppends)
	case *Dict:
		return p.dict(v)
	case *Object:
		p.global(class(v.Class))
		p.op(opEmptyTuple)
		p.op(opNewObj)
		if err := p.dict(&v.Attrs); err != nil {
			return err
		}
		p.op(opBuild)
	case *safetensors.Entry:
		return p.tensor(v)
	default:
		return fmt.Errorf("%T can't be written", v)
	}
	return nil
}

func (p *pickler) values(list []any) error {
	for _, v := range list {
		if err := p.value(v); err != nil {
			return err
		}
	}
	return nil
}

func (p *pickler) number(v int) {
	if v == int(int32(v)) {
		p.op(opBinInt, binary.LittleEndian.AppendUint32(nil, uint32(v))...)
		return
	}
	p.op(opLong1, 8)
	p.out.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func (p *pickler) dict(d *Dict) error {
	if d.Ordered {
		p.global(orderedDict)
		p.op(opEmptyTuple)
		p.op(opReduce)
	} else {
		p.op(opEmptyDict)
	}
	p.op(opMark)
	for _, item := range d.Items {
		if err := p.values([]any{item.Key, item.Value}); err != nil {
			return fmt.Errorf("%v: %w", item.Key, err)
		}
	}
	p.op(opSetItems)
	return nil
}

// global names a class.
func (p *pickler) global(c class) {
	module, name := c.split()
	p.op(opGlobal)
	p.out.WriteString(module + "\n" + name + "\n")
}

// tensor writes the call of _rebuild_tensor_v2.
func (p *pickler) tensor(e *safetensors.Entry) error {
	var storage class
	for name, t := range storageTypes {
		if t == e.Type {
			storage = class(name)
		}
	}
	if storage == "" {
		return fmt.Errorf("PyTorch has no storage of %s", e.Type)
	}
	key, ok := p.keys[e]
	if !ok {
		key = len(p.entries)
		p.keys[e] = key
		p.entries = append(p.entries, e)
	}
	shape, stride, n := make(Tuple, len(e.Shape)), make(Tuple, len(e.Shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		shape[i], stride[i] = e.Shape[i], n
		n *= e.Shape[i]
	}
	p.global(rebuildTensor)
	p.op(opMark)
	p.op(opMark)
	if err := p.value("storage"); err != nil {
		return err
	}
	p.global(storage)
	if err := p.values([]any{strconv.Itoa(key), "cpu", n}); err != nil {
		return err
	}
	p.op(opTuple)
	p.op(opBinPersID)
	if err := p.values([]any{0, shape, stride, false, &Dict{Ordered: true}}); err != nil {
		return err
	}
	p.op(opTuple)
	p.op(opReduce)
	return nil
}

// archive writes the records of a file under one folder.
type archive struct {
	zip *zip.Writer
	out *counter
	// descriptor is the size of what package zip writes behind the last record
	// when the next begins: its checksum and sizes.
	descriptor int64
}

// recordAlign is the multiple of bytes at which records begin, as PyTorch wants
// it to map them.
const recordAlign = 64

func (a *archive) create(name string) (io.Writer, error) {
	name = "archive/" + name
	if err := a.zip.Flush(); err != nil {
		return nil, err
	}
	// An extra field of PyTorch's own ("FB") fills up the local header of 30
	// bytes, the name, and the field's own head of 4.
	head := a.out.n + a.descriptor + 30 + int64(len(name)) + 4
	fill := (recordAlign - head%recordAlign) % recordAlign
	extra := append(binary.LittleEndian.AppendUint16([]byte("FB"), uint16(fill)), make([]byte, fill)...)
	a.descriptor = 16
	return a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Extra: extra})
}

func (a *archive) record(name string, b []byte) error {
	w, err := a.create(name)
	if err == nil {
		_, err = w.Write(b)
	}
	if err != nil {
		return fmt.Errorf("pth: %s: %w", name, err)
	}
	return nil
}

func (a *archive) tensor(name string, e *safetensors.Entry) error {
	w, err := a.create(name)
	if err != nil {
		return fmt.Errorf("pth: tensor %q: %w", e.Name, err)
	}
	want := int64(e.Type.Size())
	for _, d := range e.Shape {
		want *= int64(d)
	}
	if want >= math.MaxUint32 {
		a.descriptor = 24 // sizes of 8 bytes
	}
	data := &counter{w: bufio.NewWriterSize(w, 1<<16)}
	if err = e.Data(data); err == nil {
		err = data.w.Flush()
	}
	if err == nil && data.n != want {
		err = fmt.Errorf("%d bytes instead of %d", data.n, want)
	}
	if err != nil {
		return fmt.Errorf("pth: tensor %q: %w", e.Name, err)
	}
	return nil
}

// counter counts what is written.
type counter struct {
	w *bufio.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
