package gpu

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"

	"dino-vk/shaders"
)

// tuning is what was found out about a device's variants. It is kept on disk
// beside the pipeline cache; a file that is missing, damaged or of other modules
// is only a slower start.
type tuning struct {
	path  string // "" where nothing can be kept
	about string // the modules and the driver, see fingerprint
	record
}

// record is the file's content.
type record struct {
	About   string         `json:"about"`
	Checked bool           `json:"checked"` // every variant was tested
	Testing map[string]int `json:"testing,omitempty"`

	CheckedUnpromised bool `json:"checked_unpromised,omitempty"` // or those at least that need what is
	Choices
}

// openTuning reads what is known of the device; with anew that is forgotten, but
// for the variants in the middle of whose tests programs ended.
func (d *Device) openTuning(anew bool) (*tuning, error) {
	about, err := d.fingerprint()
	if err != nil {
		return nil, err
	}
	t := &tuning{path: d.cacheFile(".tuning"), about: about}
	t.load()
	if anew {
		ended := t.Testing
		t.reset()
		t.Testing = ended
	}
	t.blame()
	return t, nil
}

// mostTests is how often a program may end in the middle of a variant's test.
const mostTests = 2

// blame switches off the variants in the middle of whose tests programs ended too
// often: it was hardly somebody who stopped them.
func (t *tuning) blame() {
	for variant, times := range t.Testing {
		if times >= mostTests {
			t.Faulty[variant] = "the program ended in the middle of its test, more than once"
		}
	}
}

// fingerprint identifies all that results and times depend on: the modules, the
// driver's version, and the features that are used.
func (d *Device) fingerprint() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%v\x00", d.Name, d.DriverVersion, d.Features)
	for _, name := range shaders.Names() {
		code, err := shaders.Module(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\x00%d\x00", name, len(code))
		h.Write(code)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (t *tuning) load() {
	t.reset()
	data, _ := os.ReadFile(t.path)
	var r record
	if json.Unmarshal(unseal(data), &r) == nil && r.About == t.about {
		t.Checked, t.CheckedUnpromised, t.Choices = r.Checked, r.CheckedUnpromised, r.Choices.clone()
		maps.Copy(t.Testing, r.Testing)
	}
}

// reset forgets everything.
func (t *tuning) reset() {
	t.record = record{About: t.about, Testing: map[string]int{}, Choices: Choices{}.clone()}
}

func (t *tuning) save() {
	if data, err := json.Marshal(t.record); err == nil && t.path != "" {
		writeSealed(t.path, data)
	}
}
