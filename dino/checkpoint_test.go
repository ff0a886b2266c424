package dino

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dino-vk/dino/safetensors"
)

func testState() State {
	c := DefaultConfig()
	c.Precision = FP32
	c.Seed, c.Data = 9, "images"
	s := State{Step: 12, Epoch: 3, Images: 8, Data: 40, Seed: 9, Config: c}
	s.Means.Add(0.1, 0.2, 0.3, 0.4, 1.0/3)
	return s
}

func testTensors(scale float32) []safetensors.Entry {
	w := make([]float32, 4*5000)
	for i := range w {
		w[i] = float32(i) * scale
	}
	return []safetensors.Entry{
		safetensors.Values("student.w", []int{4, 5000}, w),
		safetensors.Values("center", []int{1, 3}, []float32{1, 2, scale}),
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func TestCheckpointRoundTrip(t *testing.T) {
	a, b, s := t.TempDir(), t.TempDir(), testState()
	other := s
	other.Config.Output, other.Config.MaxSteps, other.Config.NumWorkers = "elsewhere", 99, 3
	if err := errors.Join(WriteCheckpoint(a, s, testTensors(0.5), true), WriteCheckpoint(b, other, testTensors(0.5), false)); err != nil {
		t.Fatal(err)
	}
	if got := names(t, a); !slices.Equal(got, []string{"checkpoint.safetensors", "checkpoint0002.safetensors"}) {
		t.Fatalf("files %v", got)
	}
	latest := read(t, filepath.Join(a, CheckpointName))
	if !bytes.Equal(latest, read(t, filepath.Join(a, NumberedCheckpoint(2)))) {
		t.Error("the numbered checkpoint differs from the latest")
	}
	if !bytes.Equal(latest, read(t, filepath.Join(b, CheckpointName))) {
		t.Error("runs that differ only in neutral settings wrote different checkpoints")
	}

	ck, err := Resume(a, s.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if got := ck.State; got != s {
		t.Errorf("read %+v, wrote %+v", got, s)
	}
	if err := ck.Check([]Want{{"student.w", []int{4, 5000}}, {"center", []int{1, 3}}}); err != nil {
		t.Error(err)
	}
	center := make([]float32, 3)
	if err := ck.ReadF32("center", center); err != nil || !slices.Equal(center, []float32{1, 2, 0.5}) {
		t.Error(center, err)
	}

	// The next latest checkpoint leaves the numbered one alone.
	s.Step++
	if err := WriteCheckpoint(a, s, testTensors(7), false); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(latest, read(t, filepath.Join(a, NumberedCheckpoint(2)))) || bytes.Equal(latest, read(t, filepath.Join(a, CheckpointName))) {
		t.Error("the numbered checkpoint follows the latest")
	}
	if err := WriteCheckpoint(a, s, testTensors(3), true); err != nil { // replaces both
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, filepath.Join(a, CheckpointName)), read(t, filepath.Join(a, NumberedCheckpoint(2)))) {
		t.Error("the numbered checkpoint was not replaced")
	}
	if got := names(t, a); len(got) != 2 {
		t.Errorf("files left over: %v", got)
	}
}

func TestCheckpointRefusesOtherModel(t *testing.T) {
	dir, s := t.TempDir(), testState()
	if err := WriteCheckpoint(dir, s, testTensors(1), false); err != nil {
		t.Fatal(err)
	}
	ck, err := OpenCheckpoint(filepath.Join(dir, CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	err = ck.Check([]Want{{"student.w", []int{5000, 4}}, {"student.b", []int{4}}})
	for _, want := range []string{
		`tensor "student.w" is F32 [4 5000], the model needs F32 [5000 4]`,
		`tensor "student.b" [4] is missing`, `tensor "center" [1 3] is not part of the model`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if err := ck.ReadF32("center", make([]float32, 4)); err == nil {
		t.Error("a wrong length was accepted")
	}
}

func TestResume(t *testing.T) {
	dir, s := t.TempDir(), testState()
	if ck, err := Resume(dir, s.Config); ck != nil || err != nil {
		t.Fatalf("nothing to resume, got %v, %v", ck, err)
	}
	if ck, err := Resume(filepath.Join(dir, "none"), s.Config); ck != nil || err != nil {
		t.Fatalf("nothing to resume, got %v, %v", ck, err)
	}
	if err := WriteCheckpoint(dir, s, testTensors(1), false); err != nil {
		t.Fatal(err)
	}
	other := s.Config
	other.LR, other.OutDim, other.NumWorkers = 0.25, 128, 7
	_, err := Resume(dir, other)
	if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "--out-dim 128 (was 65536), --lr 0.25 (was 0.0005);") ||
		strings.Contains(err.Error(), "num-workers") {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(dir, CheckpointName)
	whole := read(t, path)
	for _, cut := range []int{0, 7, 20, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Resume(dir, s.Config); !errors.Is(err, safetensors.ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
}

// TestFailedWrite checks that whatever stops a write leaves the old checkpoint
// whole and nothing else behind.
func TestFailedWrite(t *testing.T) {
	for _, numbered := range []bool{false, true} {
		dir, s := t.TempDir(), testState()
		if err := WriteCheckpoint(dir, s, testTensors(1), numbered); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, CheckpointName)
		before, files := read(t, path), names(t, dir)
		tensors := testTensors(2)
		tensors[0].Data = func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 40000)); err != nil {
				return err
			}
			return syscall.ENOSPC
		}
		err := WriteCheckpoint(dir, s, tensors, numbered)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v", err)
		}
		if !bytes.Equal(before, read(t, path)) || !slices.Equal(files, names(t, dir)) {
			t.Errorf("the folder changed: %v", names(t, dir))
		}
	}
}

func TestRemovePartial(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".hidden", "checkpoint.safetensors", "x.partial"}
	for _, name := range append(keep, ".checkpoint.safetensors.123.partial", ".config.yaml.9.partial") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemovePartial(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, keep) {
		t.Errorf("kept %v, want %v", got, keep)
	}
	if err := RemovePartial(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
}

func TestKeepNumbered(t *testing.T) {
	c := Config{SaveCkpFreq: 20}
	for epoch, want := range map[int]bool{0: true, 1: false, 19: false, 20: true, 99: false} {
		if c.KeepNumbered(epoch) != want {
			t.Errorf("epoch %d", epoch)
		}
	}
	if (Config{}).KeepNumbered(0) {
		t.Error("a frequency of 0 keeps none")
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	metadata, err := testState().metadata()
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, metadata, testTensors(1)[1:]); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add(bytes.Replace(b.Bytes(), []byte("epochs: 100"), []byte("epochs: -10"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := safetensors.NewFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		ck, err := newCheckpoint(file, "fuzzed")
		if err != nil {
			return
		}
		if ck.State.Step < 0 || ck.State.Config.Validate() != nil {
			t.Fatalf("accepted %+v", ck.State)
		}
		if err := ck.Check([]Want{{"center", []int{1, 3}}}); err == nil {
			if err := ck.ReadF32("center", make([]float32, 3)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
