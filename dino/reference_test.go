package dino

import (
	"encoding/binary"
	"testing"

	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

func TestMain(m *testing.M) { gputest.Main(m) }

// stepBytes is the content of a StepParams buffer.
func stepBytes(t testing.TB, p op.StepParams) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stepWords is stepBytes as 32-bit words.
func stepWords(t testing.TB, p op.StepParams) []uint32 {
	t.Helper()
	b := stepBytes(t, p)
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return words
}

// stepParamWords is the length of a StepParams buffer in 32-bit words.
var stepParamWords = binary.Size(op.StepParams{}) / 4
