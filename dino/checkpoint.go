package dino

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dino-vk/dino/safetensors"
	"dino-vk/dino/weights"
)

// CheckpointName is the latest checkpoint's file name in the output folder.
const CheckpointName = weights.RunName

// ErrOtherRun says that an output folder holds a run of other settings.
var ErrOtherRun = errors.New("the output folder holds another run")

// State is what a run needs, besides its tensors, to go on bit for bit. It holds
// no time and no place but the device that its kernels were tuned for, so equal
// runs write equal checkpoints.
type State struct {
	Step   int    `json:"step"`           // optimizer steps done
	Epoch  int    `json:"epoch"`          // epoch of the next step
	Images int    `json:"images"`         // images of an epoch already trained on: the data position
	Data   int    `json:"data"`           // images in the data, to notice that it changed
	Names  string `json:"names"`          // digest of their names in order, for the same
	JPEG   string `json:"jpeg,omitempty"` // decoder of the data's JPEG files; empty: go, or there are none
	Seed   uint64 `json:"seed"`           // key of all randomness, which is counter-based
	Means  Means  `json:"means"`          // of the running epoch
	// Updates are the optimizer's counts at the import of a run.
	Updates Updates `json:"updates,omitzero"`
	// Variants are the kernels' that were chosen; nil: the first that fit.
	Variants *Variants `json:"variants,omitempty"`

	Config Config `json:"-"` // written beside it, without the neutral settings
}

// WriteCheckpoint writes the latest checkpoint into dir. With numbered it also
// keeps it as checkpointNNNN.safetensors of the last finished epoch, counted
// from 0 as in the reference. Tensors are fetched one after another; on any
// error, a full disk among them, the old checkpoint stays whole.
func WriteCheckpoint(dir string, s State, tensors []safetensors.Entry, numbered bool) error {
	metadata, err := s.metadata()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	write := func(w io.Writer) error { return safetensors.Write(w, metadata, tensors) }
	latest := filepath.Join(dir, CheckpointName)
	if !numbered {
		return WriteFile(latest, write)
	}
	// The numbered file first: a run killed in between resumes from the older
	// checkpoint and writes the same numbered file again.
	kept := filepath.Join(dir, NumberedCheckpoint(s.Epoch-1))
	if err := WriteFile(kept, write); err != nil {
		return err
	}
	return linkFile(kept, latest)
}

// NumberedCheckpoint is the name of the checkpoint kept after an epoch.
func NumberedCheckpoint(epoch int) string { return fmt.Sprintf("checkpoint%04d.safetensors", epoch) }

// KeepNumbered reports whether a numbered checkpoint is kept after the given
// epoch, counted from 0.
func (c Config) KeepNumbered(epoch int) bool {
	return c.SaveCkpFreq > 0 && epoch%c.SaveCkpFreq == 0
}

func (s State) metadata() (map[string]string, error) {
	config, err := s.Config.yaml(func(f Flag) bool { return !f.Neutral })
	if err != nil {
		return nil, err
	}
	state, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return map[string]string{"format": weights.RunFormat, "config": string(config), "state": string(state)}, nil
}

// Checkpoint is an opened checkpoint.
type Checkpoint struct {
	State State // Config holds defaults for the neutral settings
	Path  string
	file  *safetensors.File
}

// OpenCheckpoint opens and checks the checkpoint at path; the caller closes it.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	ck, err := newCheckpoint(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	return ck, nil
}

func newCheckpoint(f *safetensors.File, path string) (*Checkpoint, error) {
	state, err := readState(f.Metadata)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return &Checkpoint{State: state, Path: path, file: f}, nil
}

func readState(metadata map[string]string) (State, error) {
	if metadata["format"] != weights.RunFormat {
		return State{}, errors.New("not written by dino-vk")
	}
	s := State{Config: DefaultConfig()}
	if err := s.Config.MergeYAML([]byte(metadata["config"])); err != nil {
		return State{}, err
	}
	if s.Config.Precision == AutoPrecision { // written before there was another
		s.Config.Precision = FP32
	}
	if err := s.Config.Validate(); err != nil {
		return State{}, err
	}
	dec := json.NewDecoder(strings.NewReader(metadata["state"]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}
	if s.Step < 0 || s.Epoch < 0 || s.Images < 0 || s.Data < 0 || s.Epoch > s.Config.Epochs || s.Seed != s.Config.Seed {
		return State{}, fmt.Errorf("impossible state %s", metadata["state"])
	}
	if u := s.Updates; u.Step < 0 || u.Step > s.Step || u.All < 0 || u.LastLayer < 0 {
		return State{}, fmt.Errorf("impossible updates %+v", u)
	}
	return s, nil
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.file.Close() }

// Want names a float32 tensor that a model expects in a checkpoint.
type Want struct {
	Name  string
	Shape []int
}

// Check compares the checkpoint's tensors with all that a model expects and
// reports every missing, unknown and misshapen one.
func (c *Checkpoint) Check(wants []Want) error {
	var errs []error
	known := map[string]bool{}
	for _, w := range wants {
		known[w.Name] = true
		t, ok := c.file.Tensor(w.Name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("tensor %q %v is missing", w.Name, w.Shape))
		case t.Type != safetensors.F32 || !slices.Equal(t.Shape, w.Shape):
			errs = append(errs, fmt.Errorf("tensor %q is %s %v, the model needs F32 %v", w.Name, t.Type, t.Shape, w.Shape))
		}
	}
	for _, t := range c.file.Tensors {
		if !known[t.Name] {
			errs = append(errs, fmt.Errorf("tensor %q %v is not part of the model", t.Name, t.Shape))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.Path, err)
	}
	return nil
}

// ReadF32 fills dst with a tensor.
func (c *Checkpoint) ReadF32(name string, dst []float32) error {
	if err := safetensors.Read(c.file, name, dst); err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.Path, err)
	}
	return nil
}

// Resume opens the latest checkpoint in dir for a run of the given settings,
// nil if there is none. Another run's checkpoint is refused with ErrOtherRun
// and the settings that differ.
func Resume(dir string, c Config) (*Checkpoint, error) {
	ck, err := OpenCheckpoint(filepath.Join(dir, CheckpointName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if ds := Diff(ck.State.Config, c); len(ds) > 0 {
		ck.Close()
		lines := make([]string, len(ds))
		for i, d := range ds {
			lines[i] = d.String()
		}
		return nil, fmt.Errorf("%s: %w: %s; use another --output, or the old settings to go on",
			dir, ErrOtherRun, strings.Join(lines, ", "))
	}
	return ck, nil
}
