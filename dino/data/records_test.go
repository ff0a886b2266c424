package data

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"
)

// idxOf makes an IDX file of bytes counted up from 0.
func idxOf(dims ...int) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	n := 1
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
		n *= d
	}
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func TestIDX(t *testing.T) {
	root := write(t, map[string][]byte{
		"m/train-images-idx3-ubyte":    idxOf(3, 2, 4),
		"m/train-labels-idx1-ubyte.gz": gzipOf(t, idxOf(3)),
		"m/t10k-images-idx3-ubyte.gz":  gzipOf(t, idxOf(2, 2, 4)),
		"colour":                       idxOf(1, 1, 2, 3),
	})
	for _, c := range []struct{ path, want string }{
		{"m", "train-images-idx3-ubyte[0]=0 train-images-idx3-ubyte[1]=1 train-images-idx3-ubyte[2]=2"},
		{"m/train-images-idx3-ubyte", "train-images-idx3-ubyte[0]=0 train-images-idx3-ubyte[1]=1 train-images-idx3-ubyte[2]=2"},
		{"m:test", "t10k-images-idx3-ubyte.gz[0]=- t10k-images-idx3-ubyte.gz[1]=-"},
		{"colour", "colour[0]=-"},
	} {
		s := mustOpen(t, filepath.Join(root, c.path))
		if got := describe(s); got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
		images := decodesAll(t, s)
		last := images[len(images)-1]
		want := Image{W: 4, H: 2}
		for i := range 8 {
			v := byte(8*(len(images)-1) + i)
			want.Pix = append(want.Pix, v, v, v)
		}
		if c.path == "colour" {
			want = Image{W: 2, H: 1, Pix: []byte{0, 1, 2, 3, 4, 5}}
		}
		if last.W != want.W || last.H != want.H || !bytes.Equal(last.Pix, want.Pix) {
			t.Errorf("%s: last picture %v, want %v", c.path, last, want)
		}
	}
}

// cifarOf makes records with the given label bytes, of which the pixels of
// record i are i in red, i+1 in green, i+2 in blue.
func cifarOf(labelBytes int, labels ...byte) []byte {
	var b []byte
	for i, l := range labels {
		b = append(b, make([]byte, labelBytes-1)...)
		b = append(b, l)
		for c := range 3 {
			b = append(b, bytes.Repeat([]byte{byte(i + c)}, 1024)...)
		}
	}
	return b
}

func TestCIFAR(t *testing.T) {
	names := []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n")
	one, two, test := cifarOf(1, 9, 0), cifarOf(1, 3), cifarOf(1, 1)
	root := write(t, map[string][]byte{
		"c/data_batch_1.bin": one, "c/data_batch_2.bin": two, "c/test_batch.bin": test, "c/batches.meta.txt": names,
		"c100/train.bin": cifarOf(2, 99), "c100/test.bin": cifarOf(2, 5),
		"c.tgz": gzipOf(t, tarOf(t, "c/batches.meta.txt", string(names), "c/test_batch.bin", string(test),
			"c/data_batch_2.bin", string(two), "c/data_batch_1.bin", string(one))),
	})
	for _, c := range []struct{ path, want string }{
		{"c", "data_batch_1.bin[0]=truck data_batch_1.bin[1]=airplane data_batch_2.bin[0]=cat"},
		{"c:test", "test_batch.bin[0]=automobile"},
		{"c/test_batch.bin", "test_batch.bin[0]=automobile"},
		{"c.tgz", "c/data_batch_1.bin[0]=truck c/data_batch_1.bin[1]=airplane c/data_batch_2.bin[0]=cat"},
		{"c.tgz:test", "c/test_batch.bin[0]=automobile"},
		{"c100", "train.bin[0]=99"},
		{"c100/test.bin", "test.bin[0]=5"},
	} {
		s := mustOpen(t, filepath.Join(root, c.path))
		if got := describe(s); got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
		images := decodesAll(t, s)
		if got := images[0].Pix[:3]; !bytes.Equal(got, []byte{0, 1, 2}) {
			t.Errorf("%s: first pixel %v", c.path, got)
		}
	}
}
