package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// readList reads a list file: one picture a line, relative to the folder dir
// unless absolute, then optionally a tab (or, after a known picture ending,
// a space) and its class. Empty lines and lines with a leading # are passed
// over. The list's order is kept.
func readList(r io.Reader, dir string) ([]entry, error) {
	var entries []entry
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		line := lines.Text()
		if n == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, class := splitLine(line)
		path := filepath.FromSlash(name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		entries = append(entries, entry{name: name, class: class, path: path})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w: a list has one path a line", n+1, err)
	}
	return entries, nil
}

func splitLine(line string) (name, class string) {
	if i := strings.LastIndexByte(line, '\t'); i >= 0 {
		return strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:])
	}
	if i := strings.LastIndexByte(line, ' '); i >= 0 && !pictureNames[extension(line)] {
		if before := strings.TrimSpace(line[:i]); pictureNames[extension(before)] {
			return before, line[i+1:]
		}
	}
	return line, ""
}

// isText reports whether a file that begins with head may be a list.
func isText(head []byte) bool {
	for range utf8.UTFMax { // a character may be cut at the end
		if utf8.Valid(head) {
			break
		}
		head = head[:len(head)-1]
	}
	control := func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) }
	return len(head) > 0 && utf8.Valid(head) && bytes.IndexFunc(head, control) < 0
}
