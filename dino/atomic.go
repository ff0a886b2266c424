package dino

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// tempSuffix marks files that are still being written: ".<name>.<random>.partial".
const tempSuffix = ".partial"

// WriteFile writes a file so that, whatever happens, path holds either its old
// content or the whole new one: a temporary file in the same folder is
// written, forced to the disk and renamed.
func WriteFile(path string, write func(w io.Writer) error) error {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+name+".*"+tempSuffix)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(dir)
}

// linkFile makes path name the same content as the whole file from, as
// atomically as WriteFile. A hard link costs no space; where the file system
// has none, the content is copied.
func linkFile(from, path string) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".link"+tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Link(from, temp); err != nil {
		return WriteFile(path, func(w io.Writer) error {
			f, err := os.Open(from)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(w, f)
			return err
		})
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	os.Remove(temp) // a rename between two names of one file leaves both
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename in dir survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	return nil
}

// RemovePartial removes what killed runs left half written in dir.
func RemovePartial(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("remove partial files: %w", err)
	}
	var errs []error
	for _, f := range files {
		if name := f.Name(); strings.HasPrefix(name, ".") && strings.HasSuffix(name, tempSuffix) {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}
