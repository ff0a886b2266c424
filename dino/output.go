package dino

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"dino-vk/dino/data"
)

// ConfigName is the file in the output folder that holds the whole effective
// configuration; --config takes it.
const ConfigName = "config.yaml"

// ErrInUse says that another process trains into the output folder.
var ErrInUse = errors.New("another run is writing to this folder")

// output is a run's output folder, held against other processes.
type output struct {
	dir  string
	lock io.Closer
	log  *Log // nil before begin
}

// openOutput makes the folder where there is none and takes hold of it.
func openOutput(dir string) (*output, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", dir, err)
	}
	return &output{dir: dir, lock: lock}, nil
}

// resume finds the run to go on with, nil if there is none, and takes over its
// state. s holds the run's configuration and its data.
func (o *output) resume(s *State) (*Checkpoint, error) {
	if err := RemovePartial(o.dir); err != nil {
		return nil, err
	}
	ck, err := Resume(o.dir, s.Config)
	if ck == nil || err != nil {
		return nil, err
	}
	if old := ck.State; old.Data != s.Data || old.Names != s.Names {
		ck.Close()
		return nil, fmt.Errorf("%s: %w: it was on %d pictures, and %s has changed since: it holds %d; give it the same pictures, or use another --output",
			o.dir, ErrOtherRun, old.Data, s.Config.Data, s.Data)
	}
	if was, is := cmp.Or(ck.State.JPEG, data.JPEGGo), cmp.Or(s.JPEG, data.JPEGGo); was != is {
		ck.Close()
		return nil, fmt.Errorf("%s: %w: its JPEG files were decoded by %s, whose pixels differ from those of %s; go on with --jpeg %s, or use another --output",
			o.dir, ErrOtherRun, was, is, was)
	}
	config := s.Config
	*s = ck.State
	s.Config = config
	return ck, nil
}

// begin writes the configuration and opens the log, of which the lines of steps
// after the given one are removed.
func (o *output) begin(c Config, step int) error {
	text, err := c.YAML()
	if err != nil {
		return err
	}
	err = WriteFile(filepath.Join(o.dir, ConfigName), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	o.log, err = OpenLog(filepath.Join(o.dir, LogName), step)
	return err
}

func (o *output) close() error {
	if o == nil {
		return nil
	}
	var err error
	if o.log != nil {
		err = o.log.Close()
	}
	return errors.Join(err, o.lock.Close())
}

// identify says which pictures a run is on: a pack's are those of its source, so
// that a run goes on with either and writes the same.
func (s *State) identify(set *data.Set) {
	s.Data, s.Names, s.JPEG = set.Len(), digest(set), set.JPEG
	s.Config.Data = cmp.Or(set.Origin, s.Config.Data)
}

// digest identifies a set by its pictures' names in their order, on which the
// numbering of the pictures and with it all randomness depends.
func digest(src data.Source) string {
	h := sha256.New()
	for i := range src.Len() {
		fmt.Fprintf(h, "%s\x00", src.Name(i))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
