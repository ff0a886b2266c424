package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"dino-vk/dino/safetensors"
)

// A pack holds the pictures of a set decoded, as its Decode gives them, so that
// no epoch decodes them again. It is a safetensors file of these tensors:
//
//	offsets   I64 (n+1)  picture i is bytes offsets[i] to offsets[i+1] of pictures
//	labels    I32 (n)    index into classes, or -1
//	checksum  U32 (1)    CRC-32C of metadata jpeg, offsets, labels, classes, names, origin
//	classes   U8         names of the classes, each ended by a zero byte
//	names     U8         names of the pictures, likewise
//	origin    U8         Set.Origin, by which a run knows its pictures
//	pictures  U8         for each: width, height and the CRC-32C of these 8 bytes
//	                     and the pixels, as u32; width*height RGB pixels, row-major
//
// all little-endian, with the metadata "format" (packFormat) and "jpeg" (see
// Set.JPEG). A picture that could not be decoded keeps its place, and so all
// others their numbers: it has width and height 0 and zeros for pixels.
const packFormat = "dino-vk pictures"

// recordHead is the bytes of a picture in a pack before its pixels.
const recordHead = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sized is a Source that knows the W*H of its decoded pictures.
type sized interface{ pixels(i int) int }

func (p *pictures) pixels(i int) int { return p.entries[i].area }

func (s *records) pixels(int) int {
	w, h := fit(s.w, s.h, s.area)
	return w * h
}

// WritePack writes a set, decoded by so many workers, as a file that Open takes
// and that gives the same pictures under the same numbers, names and labels. It
// tells progress now and then how many pictures are written, and of those that
// could not be decoded since, why.
func WritePack(ctx context.Context, w io.Writer, set *Set, workers int, progress func(done int, skipped []error)) error {
	offsets, labels := make([]int64, set.Len()+1), make([]int32, set.Len())
	names := make([]string, set.Len())
	for i := range names {
		n, err := pixelsOf(ctx, set, i)
		if err != nil {
			return err
		}
		offsets[i+1] = offsets[i] + recordHead + 3*int64(n)
		labels[i], names[i] = int32(set.Label(i)), set.Name(i)
	}
	nameBytes, err := joinNames(names)
	if err != nil {
		return err
	}
	classBytes, err := joinNames(set.Classes())
	if err != nil {
		return err
	}
	metadata := map[string]string{"format": packFormat, "jpeg": set.JPEG}
	origin := []byte(set.Origin)
	sum := indexChecksum(set.JPEG, offsets, labels, classBytes, nameBytes, origin)
	total := int(offsets[len(names)])
	return safetensors.Write(w, metadata, []safetensors.Entry{
		safetensors.Values("offsets", []int{len(offsets)}, offsets),
		safetensors.Values("labels", []int{len(labels)}, labels),
		safetensors.Values("checksum", []int{1}, []uint32{sum}),
		safetensors.Values("classes", []int{len(classBytes)}, classBytes),
		safetensors.Values("names", []int{len(nameBytes)}, nameBytes),
		safetensors.Values("origin", []int{len(origin)}, origin),
		{Name: "pictures", Type: safetensors.U8, Shape: []int{total}, Data: func(w io.Writer) error {
			return writeRecords(ctx, w, set, offsets, workers, progress)
		}},
	})
}

// pixelsOf is the W*H of decoded picture i; 1 where only decoding would tell
// and fails.
func pixelsOf(ctx context.Context, set *Set, i int) (int, error) {
	if s, ok := set.Source.(sized); ok {
		return s.pixels(i), nil
	}
	img, err := set.Decode(ctx, i)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err != nil {
		return 1, nil
	}
	return img.W * img.H, nil
}

// writeRecords writes every picture in the place that offsets give it.
func writeRecords(ctx context.Context, w io.Writer, set *Set, offsets []int64, workers int, progress func(int, []error)) error {
	const batch, ahead = 16, 4
	loader := NewLoader(ctx, set, func(yield func([]int) bool) {
		for first := 0; first < set.Len(); first += batch {
			indices := make([]int, min(batch, set.Len()-first))
			for i := range indices {
				indices[i] = first + i
			}
			if !yield(indices) {
				return
			}
		}
	}, workers, ahead)
	defer loader.Close()
	for done := 0; ; {
		b, err := loader.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		for _, item := range b.Items {
			i, img := item.Index, item.Image
			room := int(offsets[i+1]-offsets[i]) - recordHead
			if item.Read != i {
				img = Image{}
			} else if len(img.Pix) != room {
				return fmt.Errorf("%s: it has changed since the set was opened, start again", set.Name(i))
			}
			if _, err := w.Write(record(img, room)); err != nil {
				return err
			}
			done++
		}
		progress(done, b.Skipped)
	}
}

// record is a picture as it lies in a pack, with room bytes for pixels.
func record(img Image, room int) []byte {
	b := make([]byte, recordHead+room)
	binary.LittleEndian.PutUint32(b, uint32(img.W))
	binary.LittleEndian.PutUint32(b[4:], uint32(img.H))
	copy(b[recordHead:], img.Pix)
	binary.LittleEndian.PutUint32(b[8:], recordChecksum(b))
	return b
}

// recordChecksum is the checksum of a picture in a pack.
func recordChecksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:8], castagnoli), castagnoli, b[recordHead:])
}

// indexChecksum is the checksum of all in a pack but its pictures.
func indexChecksum(jpeg string, offsets []int64, labels []int32, classes, names, origin []byte) uint32 {
	h := crc32.New(castagnoli)
	io.WriteString(h, jpeg)
	for _, offset := range offsets {
		binary.Write(h, binary.LittleEndian, offset)
	}
	for _, label := range labels {
		binary.Write(h, binary.LittleEndian, label)
	}
	h.Write(classes)
	h.Write(names)
	h.Write(origin)
	return h.Sum32()
}

func joinNames(names []string) ([]byte, error) {
	var b bytes.Buffer
	for _, name := range names {
		if strings.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("%q: a zero byte in a name cannot be packed: rename it", name)
		}
		b.WriteString(name)
		b.WriteByte(0)
	}
	return b.Bytes(), nil
}

// splitNames undoes joinNames for n names.
func splitNames(b []byte, n int) ([]string, bool) {
	if n == 0 {
		return nil, len(b) == 0
	}
	text, ended := strings.CutSuffix(string(b), "\x00")
	names := strings.Split(text, "\x00")
	return names, ended && len(names) == n
}
