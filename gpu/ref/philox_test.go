package ref

import "testing"

// The known answers that the generator's authors publish with it (Random123,
// kat_vectors, philox4x32 with 10 rounds).
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	for _, c := range []struct {
		key     [2]uint32
		counter [4]uint32
		want    [4]uint32
	}{
		{[2]uint32{}, [4]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[2]uint32{ones, ones}, [4]uint32{ones, ones, ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Philox(c.key, c.counter); got != c.want {
			t.Errorf("Philox(%08x, %08x) = %08x, want %08x", c.key, c.counter, got, c.want)
		}
	}
}

func TestPhiloxRanges(t *testing.T) {
	for _, c := range []struct {
		word uint32
		want float32
	}{{0, 0}, {0x80000000, 0.5}, {0xffffffff, 1 - 1.0/(1<<24)}} {
		if got := PhiloxUniform(c.word); got != c.want {
			t.Errorf("PhiloxUniform(%x) = %v, want %v", c.word, got, c.want)
		}
	}
	for _, c := range []struct{ word, n, want uint32 }{{0, 7, 0}, {0xffffffff, 7, 6}, {0x80000000, 7, 3}, {0xffffffff, 1, 0}} {
		if got := PhiloxBelow(c.word, c.n); got != c.want {
			t.Errorf("PhiloxBelow(%x, %d) = %d, want %d", c.word, c.n, got, c.want)
		}
	}
}
