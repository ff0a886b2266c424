package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dino-vk/dino/pth"
	"dino-vk/dino/safetensors"
)

// File is an opened file of weights.
type File struct {
	Path   string
	Source Source
	// Metadata is that of a safetensors file.
	Metadata map[string]string
	// Config is what a hub's config.json beside the file says, nil without one.
	Config *HubConfig
	// Training is what a reference training checkpoint holds besides the
	// networks, nil for other files.
	Training *Training

	networks map[string]*Network
	close    func() error
}

// HubConfig is what of a model its shapes do not say, from the config.json in a
// folder of a hub: Hugging Face's of a ViT, or timm's.
type HubConfig struct {
	Heads   int    `json:"num_attention_heads"`
	Act     string `json:"hidden_act"`
	QKVBias *bool  `json:"qkv_bias"`
	TIMM    struct {
		Heads int `json:"num_heads"`
	} `json:"model_args"`
}

// Files are the names by which a folder's weights are found, best first.
var Files = append([]string{"checkpoint.safetensors", "checkpoint.pth"}, hubFiles...)

// hubFiles are the names of weights in the folders of hubs.
var hubFiles = []string{"model.safetensors", "pytorch_model.bin"}

// Open opens the file at path, or the one of Files in the folder at path; the
// caller closes it.
func Open(path string) (*File, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	f := &File{Path: path, networks: map[string]*Network{}}
	pickled, err := isPickled(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if pickled {
		err = f.openPickled()
	} else {
		err = f.openSafetensors()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// resolve finds the file in a folder.
func resolve(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	for _, name := range Files {
		if file := filepath.Join(path, name); isFile(file) {
			return file, nil
		}
	}
	return "", fmt.Errorf("folder %s holds none of %s", path, strings.Join(Files, ", "))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// isPickled tells the formats apart by their first bytes: a zip's, those of an
// older PyTorch's file, or else a safetensors header.
func isPickled(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(file, head); err != nil {
		return false, fmt.Errorf("%s: not a file of weights: %w", path, err)
	}
	return bytes.Equal(head, []byte("PK\x03\x04")) || pth.Legacy(file), nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Network is the network of that name: "teacher" or "student" of a run or of a
// training checkpoint. A file of one network has it under every name.
func (f *File) Network(name string) (*Network, error) {
	if n := f.networks[name]; n != nil {
		return n, nil
	}
	if n := f.networks[""]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%s holds no network %q but %s", f.Path, name, strings.Join(slices.Sorted(maps.Keys(f.networks)), " and "))
}

func (f *File) add(name string, list stateDict) error {
	n, err := newNetwork(f.Path, list)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: no tensors", f.Path)
	}
	f.networks[name] = n
	return err
}

// RunFormat marks, under "format" in the metadata, the checkpoints of runs.
const RunFormat = "dino-vk checkpoint"

func (f *File) openSafetensors() error {
	file, err := safetensors.Open(f.Path)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	f.close, f.Metadata = file.Close, file.Metadata
	list := fromSafetensors(file)
	if f.Metadata["format"] != RunFormat {
		return f.addPlain(list)
	}
	f.Source = Run
	for _, name := range []string{"student", "teacher"} {
		var part stateDict
		for _, t := range list {
			if rest, ok := strings.CutPrefix(t.Name, name+"."); ok {
				t.Name = rest
				part = append(part, t)
			}
		}
		if err := f.add(name, part); err != nil {
			return err
		}
	}
	return nil
}

// addPlain adds a file's only network.
func (f *File) addPlain(list stateDict) (err error) {
	f.Source = Backbone
	if isHuggingFace(list) {
		f.Source = HuggingFace
	}
	if slices.Contains(hubFiles, filepath.Base(f.Path)) {
		if err := f.readConfig(); err != nil {
			return err
		}
	}
	if f.Source == HuggingFace {
		list, err = fromHuggingFace(list)
	} else {
		list = fromReference(list)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return f.add("", list)
}

// readConfig reads the config.json beside the file.
func (f *File) readConfig() error {
	path := filepath.Join(filepath.Dir(f.Path), "config.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.Config = &HubConfig{}
		err = json.Unmarshal(text, f.Config)
	}
	if err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	if c := f.Config; c.Act != "" && c.Act != "gelu" || c.QKVBias != nil && !*c.QKVBias {
		return fmt.Errorf("weights: %s: a ViT with hidden_act %q and qkv_bias %v; only gelu with biases is known", path, c.Act, c.QKVBias == nil || *c.QKVBias)
	}
	return nil
}

// openPickled reads a file of torch.save: the reference's training checkpoint,
// or a state dict, alone or under "state_dict" or "model".
func (f *File) openPickled() error {
	file, err := pth.Open(f.Path)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	f.close = file.Close
	root, ok := file.Root.(*pth.Dict)
	if !ok {
		return fmt.Errorf("%s: no dict was saved; save the model's state_dict()", f.Path)
	}
	if _, ok := root.Get("teacher").(*pth.Dict); ok {
		return f.openCheckpoint(root)
	}
	for _, key := range []string{"state_dict", "model"} {
		if d, ok := root.Get(key).(*pth.Dict); ok {
			root = d
			break
		}
	}
	list, err := fromDict(root)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return f.addPlain(list)
}

func (f *File) openCheckpoint(root *pth.Dict) error {
	f.Source = Checkpoint
	for _, name := range []string{"student", "teacher"} {
		d, ok := root.Get(name).(*pth.Dict)
		if !ok {
			return fmt.Errorf("%s: a training checkpoint without %q", f.Path, name)
		}
		list, err := fromDict(d)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", f.Path, name, err)
		}
		if err := f.add(name, fromReference(list)); err != nil {
			return err
		}
	}
	var err error
	if f.Training, err = newTraining(root, f.networks["student"]); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}
