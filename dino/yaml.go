package dino

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// YAML writes the whole configuration as a YAML mapping of flag names, in the
// order of Flags. Equal configurations give equal bytes, and MergeYAML reads
// every value back exactly.
func (c Config) YAML() ([]byte, error) {
	return c.yaml(func(Flag) bool { return true })
}

// yaml writes the settings that keep chooses.
func (c Config) yaml(keep func(Flag) bool) ([]byte, error) {
	doc := yaml.Node{Kind: yaml.MappingNode}
	group := ""
	for _, f := range Flags {
		if !keep(f) {
			continue
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: f.Name}
		if f.Group != group {
			group = f.Group
			key.HeadComment = group
		}
		doc.Content = append(doc.Content, key, f.Value(&c).node())
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return b.Bytes(), nil
}

func (v Value) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	switch v.Get().(type) {
	case string:
		n.Tag = "!!str" // quoted where it would read as something else
	case Scale:
		n = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, part := range strings.Split(v.String(), ",") {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: part})
		}
	}
	return n
}

// MergeYAML sets the fields that the YAML mapping in data names and leaves the
// others. Unknown and repeated keys and unreadable values are errors; all of
// them are reported, each with its line.
func (c *Config) MergeYAML(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file changes nothing
	} else if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("config: more than one YAML document")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return errors.New("config: not a YAML mapping of settings, such as \"epochs: 100\"")
	}
	var errs []error
	seen := map[string]bool{}
	pairs := doc.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		if err := c.mergeNode(key.Value, value, seen[key.Value]); err != nil {
			errs = append(errs, fmt.Errorf("config: line %d: %w", key.Line, err))
		}
		seen[key.Value] = true
	}
	return errors.Join(errs...)
}

func (c *Config) mergeNode(name string, value *yaml.Node, twice bool) error {
	f, ok := FlagNamed(name)
	if !ok {
		for _, near := range Flags {
			if near.Reference == name || near.Name == strings.ReplaceAll(strings.ToLower(name), "_", "-") {
				return fmt.Errorf("unknown setting %q; here it is called %s", name, near.Name)
			}
		}
		return fmt.Errorf("unknown setting %q", name)
	}
	if twice {
		return fmt.Errorf("%s is set twice", name)
	}
	text := value.Value
	switch value.Kind {
	case yaml.ScalarNode:
		if value.Tag == "!!null" {
			text = ""
		}
	case yaml.SequenceNode:
		parts := make([]string, len(value.Content))
		for i, part := range value.Content {
			if part.Kind != yaml.ScalarNode {
				return fmt.Errorf("%s: not a plain value", name)
			}
			parts[i] = part.Value
		}
		text = strings.Join(parts, ",")
	default:
		return fmt.Errorf("%s: not a plain value", name)
	}
	if err := f.Value(c).Set(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
