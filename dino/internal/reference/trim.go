package reference

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Trim copies the named files ("family/file") of the set in src to dst, with
// manifests and an index that list only them.
func Trim(src, dst string, keep []string) error {
	kept := map[string]bool{}
	families := map[string]bool{}
	for _, path := range keep {
		family, _, ok := strings.Cut(path, "/")
		if !ok {
			return fmt.Errorf("trim: %q is not family/file", path)
		}
		kept[path], families[family] = true, true
		if err := copyFile(filepath.Join(src, path), filepath.Join(dst, path)); err != nil {
			return err
		}
	}
	for family := range families {
		path := filepath.Join(family, "manifest.json")
		kept[path] = true
		if err := rewrite(filepath.Join(src, path), filepath.Join(dst, path), func(m map[string]json.RawMessage) error {
			return filterMap(m, "files", func(file string) bool { return kept[family+"/"+file] })
		}); err != nil {
			return err
		}
	}
	return rewrite(filepath.Join(src, "index.json"), filepath.Join(dst, "index.json"), func(m map[string]json.RawMessage) error {
		if err := filterMap(m, "folders", func(family string) bool { return families[family] }); err != nil {
			return err
		}
		return filterIndex(m, dst, kept)
	})
}

func copyFile(src, dst string) error {
	b, err := os.ReadFile(src)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(dst), 0o755)
	}
	if err == nil {
		err = os.WriteFile(dst, b, 0o644)
	}
	return err
}

// rewrite copies a JSON object from src to dst with a change.
func rewrite(src, dst string, change func(map[string]json.RawMessage) error) error {
	b, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	if err := change(m); err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	if b, err = json.MarshalIndent(m, "", " "); err != nil {
		return err
	}
	return os.WriteFile(dst, append(b, '\n'), 0o644)
}

func filterMap(m map[string]json.RawMessage, key string, keep func(string) bool) error {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(m[key], &entries); err != nil {
		return err
	}
	for name := range entries {
		if !keep(name) {
			delete(entries, name)
		}
	}
	b, err := json.Marshal(entries)
	m[key] = b
	return err
}

// indexEntry is a file in index.json.
type indexEntry struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// filterIndex keeps the entries of kept files and measures those in dst anew,
// as the manifests have changed.
func filterIndex(m map[string]json.RawMessage, dst string, kept map[string]bool) error {
	var entries, left []indexEntry
	if err := json.Unmarshal(m["files"], &entries); err != nil {
		return err
	}
	for _, e := range entries {
		if !kept[e.Path] {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dst, e.Path))
		if err != nil {
			return err
		}
		left = append(left, indexEntry{e.Path, int64(len(b)), hash(b)})
	}
	b, err := json.Marshal(left)
	m["files"] = b
	return err
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
