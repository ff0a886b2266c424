package gpu

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"
)

// Encode gives values as the bytes of a tensor of this type, rounded to the
// nearest that it can hold, to even where two are as near.
func (t Type) Encode(values []float32) []byte {
	if !t.Narrow() {
		return F32Bytes(values)
	}
	data := make([]byte, 2*len(values))
	for i, v := range values {
		bits := bfloat16Bits(v)
		if t == F16 {
			bits = float16.Fromfloat32(v).Bits()
		}
		binary.LittleEndian.PutUint16(data[2*i:], bits)
	}
	return data
}

// Decode is the reverse of Encode.
func (t Type) Decode(data []byte) []float32 {
	if !t.Narrow() {
		return BytesF32(data)
	}
	values := make([]float32, len(data)/2)
	for i := range values {
		bits := binary.LittleEndian.Uint16(data[2*i:])
		values[i] = math.Float32frombits(uint32(bits) << 16)
		if t == F16 {
			values[i] = float16.Frombits(bits).Float32()
		}
	}
	return values
}

func bfloat16Bits(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x40 // still no number
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
