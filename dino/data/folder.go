package data

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// pictureNames end files that are taken for pictures; what they really are is
// decided by their contents.
var pictureNames = extensions(".jpg .jpeg .jpe .jfif .png .gif .bmp .dib .tif .tiff .webp")

// foreignNames end pictures in formats not understood, which are reported
// rather than passed over like other files.
var foreignNames = extensions(".heic .heif .avif .jxl .jp2 .ppm .pgm .pbm .pnm .svg .psd .dng .cr2 .cr3 .nef .arw .tga .exr .hdr .ico")

var errForeign = errors.New("a format not understood (understood are " + formats + "): convert it")

func extensions(list string) map[string]bool {
	m := map[string]bool{}
	for ext := range strings.FieldsSeq(list) {
		m[ext] = true
	}
	return m
}

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// folder is what a walk through a folder found.
type folder struct {
	root    string
	names   []string // pictures, relative to root, slashes, sorted
	others  []string // other regular files, likewise
	skipped []error
}

// walkFolder lists root's files at any depth. Symbolic links are followed,
// except into a folder that holds them; names with a leading dot are passed
// over.
func walkFolder(ctx context.Context, root string) (*folder, error) {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	f := &folder{root: root}
	if err := f.walk(ctx, "", []string{real}); err != nil {
		return nil, err
	}
	slices.Sort(f.names)
	slices.Sort(f.others)
	return f, nil
}

// walk lists the folder dir, relative to root; above are the real paths of it
// and the folders it lies in.
func (f *folder) walk(ctx context.Context, dir string, above []string) error {
	list, err := os.ReadDir(filepath.Join(f.root, filepath.FromSlash(dir)))
	if err != nil {
		return err
	}
	for _, d := range list {
		name := path.Join(dir, d.Name())
		if strings.HasPrefix(d.Name(), ".") {
			continue
		}
		full := filepath.Join(f.root, filepath.FromSlash(name))
		mode, err := typeOf(d, full)
		if err == nil && mode.IsDir() {
			err = f.descend(ctx, name, full, above)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f.skipped = append(f.skipped, named(name, err))
		case mode.IsDir():
		case pictureNames[extension(name)]:
			f.names = append(f.names, name)
		case foreignNames[extension(name)]:
			f.skipped = append(f.skipped, named(name, errForeign))
		case mode.IsRegular():
			f.others = append(f.others, name)
		}
	}
	return nil
}

// typeOf is what an entry of a folder, or the file it links to, is.
func typeOf(d fs.DirEntry, path string) (fs.FileMode, error) {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type(), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

func (f *folder) descend(ctx context.Context, name, full string, above []string) error {
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return err
	}
	if slices.Contains(above, real) {
		return errors.New("a symbolic link to a folder that holds it: remove the link")
	}
	found := len(f.names)
	if err := f.walk(ctx, name, append(slices.Clip(above), real)); err != nil {
		return err
	}
	if len(f.names) == found && pictureNames[extension(name)] {
		return errors.New("a folder where a picture was expected: remove or rename it")
	}
	return nil
}

// splits are folder names that part a set for evaluation and are no classes.
var splits = map[string]bool{"train": true, "val": true, "valid": true, "validation": true, "test": true}

// classesOf gives each file its class: the first folder below the one that
// holds them all, or "" for a file that lies there itself. Where all of these
// are splits such as train and val, the class is the next folder.
func classesOf(names []string) []string {
	classes := make([]string, len(names))
	if len(names) == 0 {
		return classes
	}
	parent := func(dir string) string { return dir[:strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1] }
	common := parent(names[0])
	for _, name := range names {
		for !strings.HasPrefix(name, common) {
			common = parent(common)
		}
	}
	onlySplits := true
	for _, name := range names {
		first, _, below := strings.Cut(name[len(common):], "/")
		onlySplits = onlySplits && below && splits[strings.ToLower(first)]
	}
	for i, name := range names {
		rest := name[len(common):]
		if onlySplits {
			_, rest, _ = strings.Cut(rest, "/")
		}
		if first, _, below := strings.Cut(rest, "/"); below {
			classes[i] = first
		}
	}
	return classes
}
