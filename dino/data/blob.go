package data

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxUnpacked bounds the disk space that unpacking a .gz may take.
const maxUnpacked = 256 << 30

// blob is a file read at any offset; a gzip file is unpacked into a temporary
// one first.
type blob struct {
	*os.File
	size int64
	temp bool
}

// openRegular opens a regular file; anything else, opening which could wait
// for ever, is refused.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = errors.New("a folder where a file was expected: remove or rename it")
	} else if err == nil && !info.Mode().IsRegular() {
		err = errors.New("a special file where a plain one was expected: remove it")
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	return f, info, err
}

func openBlob(ctx context.Context, path string) (*blob, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	var magic [2]byte
	if n, _ := f.ReadAt(magic[:], 0); n < 2 || magic != [2]byte{0x1f, 0x8b} {
		return &blob{File: f, size: info.Size()}, nil
	}
	defer f.Close()
	b, err := unpack(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w; set TMPDIR to a folder with room, or gunzip it yourself", path, err)
	}
	return b, nil
}

func unpack(ctx context.Context, r io.Reader) (*blob, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp("", "dino-vk-*")
	if err != nil {
		return nil, err
	}
	b := &blob{File: temp, temp: true}
	os.Remove(temp.Name()) // where the system allows it, nothing is left even by a kill
	b.size, err = io.Copy(temp, io.LimitReader(readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return z.Read(p)
	}), maxUnpacked))
	if err == nil && b.size == maxUnpacked {
		err = fmt.Errorf("more than %d bytes", int64(maxUnpacked))
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close closes the file and removes it if it is temporary.
func (b *blob) Close() error {
	err := b.File.Close()
	if b.temp {
		os.Remove(b.Name()) // usually gone already
	}
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
