package data

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// CIFAR-10 and CIFAR-100 in their binary version
// (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label byte, or
// two (coarse, fine), and 32x32 red, green and blue planes.
const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide

	cifar10Names  = "batches.meta.txt"
	cifar100Names = "fine_label_names.txt"
)

var cifarName = map[string]*regexp.Regexp{
	"train": regexp.MustCompile(`^(data_batch_\d+|train)\.bin$`),
	"test":  regexp.MustCompile(`^(test_batch|test)\.bin$`),
}

// cifarParts chooses from files the binaries of a split (train if empty), in order, and the
// file of the class names if there is one.
func cifarParts(files []entry, split string) (parts []entry, names *entry) {
	for i, f := range files {
		switch base := path.Base(f.name); {
		case cifarName[cmp.Or(split, "train")].MatchString(base):
			parts = append(parts, f)
		case base == cifar10Names || base == cifar100Names:
			names = &files[i]
		}
	}
	slices.SortFunc(parts, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return parts, names
}

// cifarNames is the file of class names in dir, or nil.
func cifarNames(dir string) *entry {
	for _, name := range []string{cifar10Names, cifar100Names} {
		if path := filepath.Join(dir, name); exists(path) {
			return &entry{name: name, path: path}
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openCIFAR reads the labels of binaries, whose kind follows from their sizes
// and labels; path is where they lie. The Set takes over closers.
func openCIFAR(path string, files []entry, names *entry, closers []io.Closer, o Options) (*Set, error) {
	s := &records{w: cifarSide, h: cifarSide, channels: 3, planar: true, area: o.Area, closers: closers}
	if err := s.readCIFAR(files, names); err != nil {
		closeAll(s.closers)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s.set(), nil
}

func (s *records) readCIFAR(files []entry, names *entry) error {
	labelBytes := 0
	for _, f := range files {
		r, c, err := f.open()
		if err != nil {
			return named(f.name, err)
		}
		s.closers = append(s.closers, c)
		lb, labels, err := cifarLabels(r)
		if err != nil {
			return named(f.name, err)
		}
		if labelBytes != 0 && lb != labelBytes {
			return fmt.Errorf("%s: CIFAR-10 and CIFAR-100 binaries in one folder: part them", f.name)
		}
		labelBytes = lb
		s.parts = append(s.parts, part{name: f.name, r: r, off: int64(lb), stride: int64(lb + cifarPixels), first: len(s.labels), n: len(labels)})
		s.labels = append(s.labels, labels...)
	}
	s.classes = make([]string, cifarClasses(labelBytes))
	for i := range s.classes {
		s.classes[i] = fmt.Sprint(i)
	}
	if names == nil {
		return nil
	}
	r, c, err := names.open()
	if err != nil {
		return named(names.name, err)
	}
	defer c.Close()
	lines := bufio.NewScanner(r)
	for i := 0; i < len(s.classes) && lines.Scan(); {
		if name := strings.TrimSpace(lines.Text()); name != "" {
			s.classes[i] = name
			i++
		}
	}
	return lines.Err()
}

// cifarClasses is the number of classes told by the last label byte.
func cifarClasses(labelBytes int) int {
	if labelBytes == 2 {
		return 100
	}
	return 10
}

// cifarLabels finds out whether r holds CIFAR-10 or CIFAR-100 records, 1 or 2
// label bytes each, and reads the labels (the fine ones).
func cifarLabels(r *io.SectionReader) (labelBytes int, labels []int, err error) {
	if r.Size() == 0 {
		return 0, nil, errors.New("an empty file: copy it again")
	}
	err = fmt.Errorf("%d bytes are no whole number of CIFAR records (3073 or 3074 bytes): copy the file again", r.Size())
	for _, labelBytes := range []int{1, 2} {
		stride := int64(labelBytes + cifarPixels)
		if r.Size()%stride != 0 {
			continue
		}
		if labels, err = readLabels(r, stride, labelBytes); err == nil {
			return labelBytes, labels, nil
		}
	}
	return 0, nil, err
}

func readLabels(r *io.SectionReader, stride int64, labelBytes int) ([]int, error) {
	var b [2]byte
	labels := make([]int, r.Size()/stride)
	for i := range labels {
		if _, err := r.ReadAt(b[:labelBytes], int64(i)*stride); err != nil {
			return nil, err
		}
		labels[i] = int(b[labelBytes-1])
		if labels[i] >= cifarClasses(labelBytes) {
			return nil, fmt.Errorf("record %d has label %d of %d classes: not a CIFAR binary, or damaged", i, labels[i], cifarClasses(labelBytes))
		}
	}
	return labels, nil
}
