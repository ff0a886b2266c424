package eval

import (
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dino-vk/dino/safetensors"
)

// Table is the features of pictures.
type Table struct {
	Names   []string // of the pictures
	Labels  []int    // indices into Classes, -1 for none
	Classes []string
	Width   int       // D
	Values  []float32 // (len(Names), D)
}

// Add appends a picture's row.
func (t *Table) Add(name string, label int, feature []float32) {
	t.Names = append(t.Names, name)
	t.Labels = append(t.Labels, label)
	t.Values = append(t.Values, feature...)
}

// Formats are the formats of Write, by file name extension.
var Formats = []string{".safetensors", ".npy", ".csv"}

// Write writes the table in the format of a file name extension:
//
//   - .safetensors: "features" (N, D) F32 and "labels" (N) I64; the names and
//     classes, as JSON lists, in the metadata
//   - .npy: the features alone, (N, D) float32, as NumPy's load reads them
//   - .csv: a row for each picture: name, label, the features
func (t *Table) Write(w io.Writer, extension string) error {
	switch strings.ToLower(extension) {
	case ".safetensors":
		return t.writeSafetensors(w)
	case ".npy":
		return t.writeNPY(w)
	case ".csv":
		return t.writeCSV(w)
	}
	return fmt.Errorf("format %q: use one of %s", extension, strings.Join(Formats, ", "))
}

func (t *Table) label(i int) string {
	if l := t.Labels[i]; l >= 0 {
		return t.Classes[l]
	}
	return ""
}

func (t *Table) writeSafetensors(w io.Writer) error {
	names, err := json.Marshal(t.Names)
	if err != nil {
		return err
	}
	classes, err := json.Marshal(t.Classes)
	if err != nil {
		return err
	}
	labels := make([]int64, len(t.Labels))
	for i, l := range t.Labels {
		labels[i] = int64(l)
	}
	return safetensors.Write(w, map[string]string{"names": string(names), "classes": string(classes)}, []safetensors.Entry{
		safetensors.Values("features", []int{len(t.Names), t.Width}, t.Values),
		safetensors.Values("labels", []int{len(labels)}, labels),
	})
}

// writeNPY writes NumPy's format, version 1.0: a magic string, the length of
// the header, the header padded so that the data begin at a multiple of 64.
func (t *Table) writeNPY(w io.Writer) error {
	const prefix = 10
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(t.Names), t.Width)
	length := (prefix+len(header)+1+63)/64*64 - prefix
	header += strings.Repeat(" ", length-len(header)-1) + "\n"
	b := bufio.NewWriter(w)
	b.WriteString("\x93NUMPY\x01\x00") // bufio keeps the first error for Flush
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(length)))
	b.WriteString(header)
	if err := binary.Write(b, binary.LittleEndian, t.Values); err != nil {
		return err
	}
	return b.Flush()
}

func (t *Table) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	row := []string{"name", "label"}
	for i := range t.Width {
		row = append(row, "f"+strconv.Itoa(i))
	}
	c.Write(row) // csv keeps the first error for Error
	for i, name := range t.Names {
		row = append(row[:0], name, t.label(i))
		for _, v := range t.Values[i*t.Width : (i+1)*t.Width] {
			row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		c.Write(row)
	}
	c.Flush()
	return c.Error()
}
