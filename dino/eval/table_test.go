package eval

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"dino-vk/dino/safetensors"
)

func table() *Table {
	t := &Table{Width: 3, Classes: []string{"cat", "dog"}}
	t.Add("a.jpg", 1, []float32{1, 2.5, -3})
	t.Add("b, c.jpg", -1, []float32{0, 1e-7, 4})
	return t
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := table().Write(&b, ".csv"); err != nil {
		t.Fatal(err)
	}
	want := "name,label,f0,f1,f2\na.jpg,dog,1,2.5,-3\n\"b, c.jpg\",,0,1e-07,4\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestNPY(t *testing.T) {
	var b bytes.Buffer
	if err := table().Write(&b, ".npy"); err != nil {
		t.Fatal(err)
	}
	bytes := b.Bytes()
	length := int(binary.LittleEndian.Uint16(bytes[8:]))
	data := bytes[10+length:]
	if (10+length)%64 != 0 || len(data) != 2*3*4 {
		t.Errorf("header of %d bytes, %d bytes of data", length, len(data))
	}
	if h := string(bytes[10 : 10+length]); !strings.Contains(h, "'shape': (2, 3)") || !strings.HasSuffix(h, "\n") {
		t.Errorf("header %q", h)
	}
	var values [6]float32
	if _, err := binary.Decode(data, binary.LittleEndian, &values); err != nil || values != [6]float32{1, 2.5, -3, 0, 1e-7, 4} {
		t.Errorf("values %v, error %v", values, err)
	}
}

func TestSafetensors(t *testing.T) {
	var b bytes.Buffer
	if err := table().Write(&b, ".safetensors"); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.NewFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	values, labels := make([]float32, 6), make([]int64, 2)
	if err := safetensors.Read(f, "features", values); err != nil || values[5] != 4 {
		t.Errorf("features %v, error %v", values, err)
	}
	if err := safetensors.Read(f, "labels", labels); err != nil || labels[0] != 1 || labels[1] != -1 {
		t.Errorf("labels %v, error %v", labels, err)
	}
	if f.Metadata["names"] != `["a.jpg","b, c.jpg"]` {
		t.Errorf("names %q", f.Metadata["names"])
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := table().Write(&bytes.Buffer{}, ".xls"); err == nil || !strings.Contains(err.Error(), ".npy") {
		t.Errorf("error %v should name the formats", err)
	}
}
