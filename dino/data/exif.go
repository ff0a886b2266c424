package data

import (
	"bytes"
	"encoding/binary"
)

// orientation reads the EXIF tag Orientation (EXIF 2.32, 4.6.4 A): 1 to 8, and
// 1 (upright) where there is none or the metadata is damaged, which never
// costs the picture.
func orientation(file []byte, format string) int {
	switch format {
	case "jpeg":
		return ifdOrientation(jpegEXIF(file))
	case "png":
		return ifdOrientation(pngEXIF(file))
	case "webp":
		return ifdOrientation(webpEXIF(file))
	case "tiff":
		return ifdOrientation(file)
	}
	return 1
}

// ifdOrientation looks through the first directory of a TIFF structure, which
// is what EXIF metadata is in every container.
func ifdOrientation(b []byte) int {
	const tagOrientation, short, entryLen = 0x0112, 3, 12
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	if string(b[:2]) != "II" && string(b[:2]) != "MM" || order.Uint16(b[2:]) != 42 {
		return 1
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	n, b := int(order.Uint16(b[at:])), b[at+2:]
	for ; n > 0 && len(b) >= entryLen; n, b = n-1, b[entryLen:] {
		if order.Uint16(b) == tagOrientation && order.Uint16(b[2:]) == short {
			if o := int(order.Uint16(b[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
	}
	return 1
}

// exifMark begins the EXIF segment of a JPEG, and by custom some WebP chunks.
const exifMark = "Exif\x00\x00"

// jpegEXIF returns the TIFF structure of a JPEG's APP1 segment, or nil.
func jpegEXIF(b []byte) []byte {
	const soi, app1, sos = 0xd8, 0xe1, 0xda
	if len(b) < 2 || b[0] != 0xff || b[1] != soi {
		return nil
	}
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker := b[1]
		if marker == 0xff { // padding
			b = b[1:]
			continue
		}
		size := 2 + int(binary.BigEndian.Uint16(b[2:]))
		if marker == sos || size < 4 || size > len(b) {
			return nil
		}
		if data, ok := bytes.CutPrefix(b[4:size], []byte(exifMark)); ok && marker == app1 {
			return data
		}
		b = b[size:]
	}
	return nil
}

// pngEXIF returns the contents of a PNG's eXIf chunk, or nil.
func pngEXIF(b []byte) []byte {
	const signature, frame = 8, 12 // a chunk is length, name, contents, checksum
	if len(b) < signature {
		return nil
	}
	for b = b[signature:]; len(b) >= frame; {
		size := uint64(binary.BigEndian.Uint32(b))
		if size+frame > uint64(len(b)) {
			return nil
		}
		if string(b[4:8]) == "eXIf" {
			return b[8 : 8+size]
		}
		b = b[size+frame:]
	}
	return nil
}

// webpEXIF returns the contents of a WebP's EXIF chunk, or nil.
func webpEXIF(b []byte) []byte {
	const riff, frame = 12, 8 // a chunk is name, length, contents, padding to even
	if len(b) < riff {
		return nil
	}
	for b = b[riff:]; len(b) >= frame; {
		size := uint64(binary.LittleEndian.Uint32(b[4:]))
		if size+frame > uint64(len(b)) {
			return nil
		}
		if string(b[:4]) == "EXIF" {
			return bytes.TrimPrefix(b[8:8+size], []byte(exifMark))
		}
		b = b[min(size+size%2+frame, uint64(len(b))):]
	}
	return nil
}
