package ref

// Philox returns the four words of Philox4x32-10 for a key and a counter
// (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), as
// shaders/include/philox.glsl does.
func Philox(key [2]uint32, counter [4]uint32) [4]uint32 {
	c := counter
	for range 10 {
		hi0, lo0 := mul32(0xD2511F53, c[0])
		hi1, lo1 := mul32(0xCD9E8D57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ key[0], lo1, hi0 ^ c[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return c
}

// PhiloxUniform maps a word to [0, 1): its upper 24 bits, so the value is exact.
func PhiloxUniform(word uint32) float32 { return float32(word>>8) * (1.0 / (1 << 24)) }

// PhiloxBelow maps a word to 0..n-1, each as likely to within n/2^32.
func PhiloxBelow(word, n uint32) uint32 {
	hi, _ := mul32(word, n)
	return hi
}

func mul32(a, b uint32) (hi, lo uint32) {
	p := uint64(a) * uint64(b)
	return uint32(p >> 32), uint32(p)
}
