package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	// Center is that of the teacher's outputs, (K) of a run's or (1, K) of the
	// reference's training checkpoint, nil for other files.
	Center *Tensor
	// Training is what a reference training checkpoint holds besides the
	// networks, nil for other files.
	Training *Training

	networks map[string]*Network
	file     *os.File
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
var Files = append([]string{RunName, "checkpoint.pth"}, hubFiles...)

// RunName is the name of a run's latest checkpoint in its folder.
const RunName = "checkpoint.safetensors"

// hubFiles are the names of weights in the folders of hubs.
var hubFiles = []string{"model.safetensors", "pytorch_model.bin"}

// Open opens the file at path, or the one of Files in the folder at path; the
// caller closes it.
func Open(path string) (*File, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	f := &File{Path: path, networks: map[string]*Network{}, file: file}
	if err := f.read(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// read tells the formats apart by their first bytes: a zip's, those of an older
// PyTorch's file, or else a safetensors header.
func (f *File) read() error {
	head := make([]byte, 4)
	if _, err := f.file.ReadAt(head, 0); err != nil {
		return fmt.Errorf("weights: %s: not a file of weights: %w", f.Path, err)
	}
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	if bytes.Equal(head, []byte("PK\x03\x04")) || pth.Legacy(f.file) {
		return f.readPickled(info.Size())
	}
	return f.readSafetensors(info.Size())
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

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

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

// centerName is what both kinds of training's checkpoints call the center.
const centerName = "center"

func (f *File) readSafetensors(size int64) error {
	file, err := safetensors.NewFile(f.file, size)
	if err != nil {
		return fmt.Errorf("weights: %s: %w", f.Path, err)
	}
	f.Metadata = file.Metadata
	list := fromSafetensors(file)
	if f.Metadata["format"] != RunFormat {
		return f.addPlain(list)
	}
	f.Source = Run
	if i := slices.IndexFunc(list, func(t *Tensor) bool { return t.Name == centerName }); i >= 0 {
		f.Center = list[i]
	}
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

// readPickled reads a file of torch.save: the reference's training checkpoint,
// or a state dict, alone or under "state_dict" or "model".
func (f *File) readPickled(size int64) error {
	saved, err := pth.Read(f.file, size)
	if err != nil {
		return fmt.Errorf("weights: %s: %w", f.Path, err)
	}
	root, ok := saved.(*pth.Dict)
	if !ok {
		return fmt.Errorf("%s: no dict was saved; save the model's state_dict()", f.Path)
	}
	if _, ok := root.Get("teacher").(*pth.Dict); ok {
		return f.readCheckpoint(root)
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

func (f *File) readCheckpoint(root *pth.Dict) error {
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
	var err1, err2 error
	f.Training, err1 = newTraining(root, f.networks["student"])
	f.Center, err2 = centerOf(root)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}
