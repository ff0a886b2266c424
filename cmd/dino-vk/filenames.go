package main

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fileNames makes file names of pictures' names, no two alike in any case.
type fileNames struct{ taken map[string]bool }

// maxName leaves room for endings in what file systems allow, 255 bytes.
const maxName = 120

// unique is name without the ending of a picture file, made of letters, digits,
// dots, dashes and underscores, with a number where that is taken already.
func (f *fileNames) unique(name string) string {
	safe := safeName(name)
	if f.taken == nil {
		f.taken = map[string]bool{}
	}
	chosen := safe
	for n := 2; f.taken[strings.ToLower(chosen)]; n++ {
		chosen = fmt.Sprintf("%s-%d", safe, n)
	}
	f.taken[strings.ToLower(chosen)] = true
	return chosen
}

func safeName(name string) string {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if ext := path.Ext(name); len(ext) <= 5 && !strings.ContainsFunc(ext, func(r rune) bool {
		return r != '.' && !unicode.IsLetter(r)
	}) {
		name = strings.TrimSuffix(name, ext)
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '.', r == '-', r == '_':
			return r
		case r == '/':
			return '-'
		}
		return '_'
	}, name)
	for len(name) > maxName { // the end tells pictures apart
		_, n := utf8.DecodeRuneInString(name)
		name = name[n:]
	}
	if name = strings.TrimLeft(name, ".-"); name == "" {
		return "picture"
	}
	return name
}
