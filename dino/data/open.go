package data

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// understood is what a path may name, for errors.
const understood = "a folder or tar of pictures (" + formats + "), a list file with one path a line, a WebDataset tar, " +
	"CIFAR-10/100 binaries, IDX files, a pack of \"dino-vk data pack\", .gz of the last four, or \"shapes\", the built-in set"

// Open opens the pictures that path names: a folder (class = first folder
// level, if any), a list file (see readList), a tar or a folder of tars (see
// indexTar), CIFAR-10 or CIFAR-100 binaries or a folder or tar of them, IDX
// pictures or a folder of them, a file of WritePack, or one picture. What a file
// is follows from its contents. PATH:train and PATH:test choose a part: a
// subfolder of that name, or of CIFAR and IDX folders, where train is the
// default. The name shapes is the generated set (see parseShapes); ./shapes is a
// file.
//
// It reads every picture's header, in parallel, and stops with ctx's error when
// ctx ends. A path without one readable picture gives ErrNoImages.
func Open(ctx context.Context, path string, o Options) (*Set, error) {
	if spec, ok, err := parseShapes(path); err != nil {
		return nil, err
	} else if ok {
		return openShapes(spec, path), nil
	}
	o = o.withDefaults()
	file, split := cutSplit(path)
	s, err := open(ctx, file, split, o)
	if err != nil {
		return nil, err
	}
	if s.Len() == 0 {
		s.Close()
		return nil, noImages(file, s.Skipped)
	}
	s.Origin = cmp.Or(s.Origin, path)
	return s, nil
}

func noImages(path string, skipped []error) error {
	if len(skipped) == 0 {
		return fmt.Errorf("%w in %s: it must be %s", ErrNoImages, path, understood)
	}
	return fmt.Errorf("%w in %s: %d left out, the first being %w", ErrNoImages, path, len(skipped), skipped[0])
}

// cutSplit parts PATH:train or PATH:test, unless a file has that name; split is
// empty without such an ending.
func cutSplit(path string) (file, split string) {
	for _, split := range []string{"train", "test"} {
		if file, ok := strings.CutSuffix(path, ":"+split); ok && !exists(path) {
			return file, split
		}
	}
	return path, ""
}

func open(ctx context.Context, path, split string, o Options) (*Set, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist: it must be %s", path, understood)
	case err != nil:
		return nil, err
	case info.IsDir():
		return openFolder(ctx, path, split, o)
	}
	b, err := openBlob(ctx, path)
	if err != nil {
		return nil, named(path, err)
	}
	return openFile(ctx, b, path, split, o)
}

// openFile opens a single file by its contents and takes over b.
func openFile(ctx context.Context, b *blob, path, split string, o Options) (*Set, error) {
	head := make([]byte, 512)
	n, err := b.ReadAt(head, 0)
	head = head[:n]
	if err != nil && err != io.EOF {
		b.Close()
		return nil, err
	}
	one := entry{name: filepath.Base(path), path: path}
	switch {
	case isTar(head) || tarName.MatchString(path):
		return openTars(ctx, []*blob{b}, []string{path}, nil, split, o)
	case split != "":
		err = noParts(path, split)
	case isIDX(head):
		return openIDX(ctx, b, path, o)
	case extension(path) == ".bin" && !b.temp:
		b.Close()
		return openCIFAR(filepath.Dir(path), []entry{one}, cifarNames(filepath.Dir(path)), nil, o)
	case isSafetensors(head):
		return openPack(b, path, o)
	case n == 0:
		err = fmt.Errorf("%s is empty: it must be %s", path, understood)
	case pictureNames[extension(path)] || isPicture(head):
		b.Close()
		return newPictures(ctx, []entry{one}, nil, nil, o)
	case isText(head):
		entries, err := readList(io.NewSectionReader(b, 0, b.size), filepath.Dir(path))
		b.Close()
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", path, err)
		}
		return newPictures(ctx, entries, nil, nil, o)
	default:
		err = fmt.Errorf("%s is of no kind understood: it must be %s; unpack other archives first", path, understood)
	}
	b.Close()
	return nil, err
}

var tarName = regexp.MustCompile(`(?i)\.(tar|tar\.gz|tgz)$`)

func isTar(head []byte) bool {
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	return len(head) == 512 && err == nil && bytes.HasPrefix(head[257:], []byte("ustar"))
}

func isPicture(head []byte) bool {
	_, _, err := image.DecodeConfig(bytes.NewReader(head))
	return !errors.Is(err, image.ErrFormat)
}

// openTars opens tars as one set and takes over blobs; skipped are files left
// out before. Without WebDataset labels a picture's class is its folder. Of
// several tars, the tar's name comes before its pictures' names.
func openTars(ctx context.Context, blobs []*blob, paths []string, skipped []error, split string, o Options) (*Set, error) {
	var closers []io.Closer
	for _, b := range blobs {
		closers = append(closers, b)
	}
	all := archive{skipped: skipped}
	var names, prefixes []string
	for i, b := range blobs {
		a, err := indexTar(b, b.size)
		if err != nil {
			closeAll(closers)
			return nil, fmt.Errorf("%s: %w", paths[i], err)
		}
		for _, e := range a.pictures {
			names = append(names, e.name)
			prefixes = append(prefixes, filepath.Base(paths[i])+"/")
		}
		all.pictures = append(all.pictures, a.pictures...)
		all.others = append(all.others, a.others...)
		all.skipped = append(all.skipped, a.skipped...)
		all.labelled = all.labelled || a.labelled
	}
	if len(all.pictures) == 0 {
		if parts, names := cifarParts(all.others, split); len(parts) > 0 {
			return openCIFAR(paths[0], parts, names, closers, o)
		}
	}
	if split != "" {
		closeAll(closers)
		return nil, noParts(paths[0], split)
	}
	for i, class := range classesOf(names) {
		if !all.labelled {
			all.pictures[i].class = class
		}
		if len(blobs) > 1 {
			all.pictures[i].name = prefixes[i] + names[i]
		}
	}
	return newPictures(ctx, all.pictures, all.skipped, closers, o)
}

// noParts is the error for PATH:split where the path has no such part.
func noParts(path, split string) error {
	return fmt.Errorf("%s has no part %s: leave \":%s\" away, or name the folder or file that holds it", path, split, split)
}

// openFolder opens a folder of pictures, or where it has none, of CIFAR
// binaries, IDX files or tars.
func openFolder(ctx context.Context, root, split string, o Options) (*Set, error) {
	if part := filepath.Join(root, split); split != "" && exists(part) {
		return open(ctx, part, "", o)
	}
	f, err := walkFolder(ctx, root)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(f.names))
	for i, class := range classesOf(f.names) {
		entries[i] = entry{name: f.names[i], class: class, path: f.path(f.names[i])}
	}
	if len(entries) > 0 && split != "" {
		return nil, noParts(root, split)
	}
	if len(entries) > 0 {
		return newPictures(ctx, entries, f.skipped, nil, o)
	}

	var others []entry
	var blobs []*blob
	var paths []string
	for _, name := range f.others {
		others = append(others, entry{name: name, path: f.path(name)})
	}
	if parts, names := cifarParts(others, split); len(parts) > 0 {
		return openCIFAR(root, parts, names, nil, o)
	}
	for _, e := range others {
		if strings.HasPrefix(filepath.Base(e.name), idxPrefix[cmp.Or(split, "train")]) {
			return open(ctx, e.path, "", o)
		}
	}
	for _, e := range others {
		if !tarName.MatchString(e.name) {
			continue
		}
		b, err := openBlob(ctx, e.path)
		if err != nil {
			for _, b := range blobs {
				b.Close()
			}
			return nil, named(e.path, err)
		}
		blobs, paths = append(blobs, b), append(paths, e.path)
	}
	return openTars(ctx, blobs, paths, f.skipped, split, o)
}

func (f *folder) path(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }
