package dino

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/dino/weights"
	"dino-vk/gpu"
)

// officialFile is what the manifest says of a .pth file of the family
// official_checkpoint, which the official program wrote.
type officialFile struct {
	Epoch       int
	StepsDone   int                `json:"steps_done"` // 0 of a backbone alone
	Keys        []string           // of a backbone alone
	StudentKeys []string           `json:"student_keys"`
	TeacherKeys []string           `json:"teacher_keys"`
	AdamSteps   map[string]float64 `json:"adam_step_by_param_index"`
	AdamOrder   []string           `json:"adam_param_order"`

	name, variant string
	family        *reference.Family
	run           trajectory
}

// officialFiles are the family's .pth files. Runs and crops are those of
// train_trajectory.
func officialFiles(t *testing.T) []officialFile {
	t.Helper()
	set := reference.Default()
	if !set.Whole() {
		t.Skipf("%s names no whole set", reference.Env)
	}
	family := set.Family(t, "official_checkpoint")
	var files map[string]officialFile
	family.Decode(t, "files", &files)
	var list []officialFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) == ".pth" {
			f := files[name]
			f.name, f.family, f.run = name, family, readTrajectory(t)
			f.variant, _, _ = strings.Cut(name, ".")
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		t.Fatal("the family has no .pth file")
	}
	return list
}

func (f officialFile) open(t *testing.T) *weights.File {
	t.Helper()
	w, err := weights.Open(filepath.Join(f.family.Dir, f.name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// config is what the file tells of the settings, which must be the trajectory's.
func (f officialFile) config(t *testing.T, w *weights.File) Config {
	t.Helper()
	c, err := ConfigOf(w, "student", f.run.Heads)
	if err != nil {
		t.Fatal(err)
	}
	c.LocalSize = f.run.LocalImg // which the reference takes for granted
	if w.Training != nil {
		want := f.run.config(t, f.variant, 1)
		want.Seed, want.SaveCkpFreq = c.Seed, c.SaveCkpFreq
		if math.Abs(c.LR-want.LR) <= scheduleTolerance*want.LR {
			want.LR = c.LR // the trajectory gives the scaled one
		}
		for _, d := range Diff(want, c) {
			t.Errorf("settings: %s", d)
		}
	}
	return c
}

// TestReferenceCheckpoint continues runs from the official program's training
// checkpoints: every loss and the last state must be the trajectory's.
func TestReferenceCheckpoint(t *testing.T) {
	for _, f := range officialFiles(t) {
		if f.StepsDone > 0 {
			t.Run(f.name, f.resume)
		}
	}
}

func (f officialFile) resume(t *testing.T) {
	w := f.open(t)
	c := f.config(t, w)
	f.checkNames(t, w, "student", f.StudentKeys)
	f.checkNames(t, w, "teacher", f.TeacherKeys)
	f.checkSteps(t, w)

	state, tensors, err := imported(w, c, f.run.StepsPerEpoch)
	if err != nil {
		t.Fatal(err)
	}
	if state.Step != f.StepsDone || state.Epoch != f.Epoch {
		t.Errorf("after step %d, epoch %d; want %d, %d", state.Step, state.Epoch, f.StepsDone, f.Epoch)
	}
	dir := t.TempDir()
	if err := WriteCheckpoint(dir, state, tensors, false); err != nil {
		t.Fatal(err)
	}
	ck, err := OpenCheckpoint(filepath.Join(dir, CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	run := f.run.prepare(t, c)
	run.schedule.Updates = ck.State.Updates
	if err := run.step.Load(ck); err != nil {
		t.Fatal(err)
	}
	if kept := f.run.family.File(fmt.Sprintf("%s.step%d", f.variant, f.StepsDone)); kept != nil {
		t.Run("loaded", func(t *testing.T) { run.equalState(t, kept) })
	}
	f.goOn(t, run)
}

// goOn trains the steps that are left.
func (f officialFile) goOn(t *testing.T, run *trajectoryRun) {
	steps := f.run.file(t, f.variant+".steps")
	want := steps.F32(t, "loss")
	for i := f.StepsDone; i < len(want); i++ {
		loss := run.do(i)
		t.Run(fmt.Sprintf("step%d", i+1), func(t *testing.T) {
			e, err := reference.Measure("abs", []float32{loss}, want[i:i+1])
			if err != nil || !(e <= trajectoryLoss) {
				t.Errorf("loss %v, want %v (%v)", loss, want[i], err)
			}
			t.Logf("loss %v: abs %.2g (limit %.2g)", loss, e, trajectoryLoss)
			if kept := f.run.family.File(fmt.Sprintf("%s.step%d", f.variant, i+1)); kept != nil {
				run.compareState(t, kept)
			}
		})
	}
}

// checkNames compares the file's own names.
func (f officialFile) checkNames(t *testing.T, w *weights.File, network string, want []string) {
	t.Helper()
	n, err := w.Network(network)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range n.Tensors {
		got = append(got, x.Source())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %v, want %v", network, got, want)
	}
}

// checkSteps compares AdamW's counts.
func (f officialFile) checkSteps(t *testing.T, w *weights.File) {
	t.Helper()
	for i, name := range f.AdamOrder {
		if n, err := w.Training.Steps(name); err != nil || float64(n) != f.AdamSteps[strconv.Itoa(i)] {
			t.Errorf("%d updates of %s (%v), want %v", n, name, err, f.AdamSteps[strconv.Itoa(i)])
		}
	}
}

// equalState demands a kept state bit for bit.
func (r *trajectoryRun) equalState(t *testing.T, f *reference.File) {
	states := r.states()
	for _, x := range f.Tensors() {
		if !bytes.Equal(gpu.F32Bytes(r.read(states[x.Name])), gpu.F32Bytes(f.F32(t, x.Name))) {
			t.Errorf("%s differs", x.Name)
		}
	}
}

// TestReferenceCheckpointContents compares the features of the networks of the
// official files, and what the last of them say of the optimizer.
func TestReferenceCheckpointContents(t *testing.T) {
	for _, f := range officialFiles(t) {
		expected := f.family.File(f.variant + ".expected")
		if expected == nil || f.StepsDone > 0 && f.StepsDone != f.run.Epochs*f.run.StepsPerEpoch {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			w := f.open(t)
			networks := []string{"teacher"}
			if w.Training != nil {
				networks = append(networks, "student")
				t.Run("optimizer", func(t *testing.T) { f.checkOptimizer(t, w, expected) })
			} else {
				f.checkNames(t, w, "teacher", f.Keys)
			}
			for _, network := range networks {
				m, err := OpenModel(w, network, f.config(t, w))
				if err != nil {
					t.Fatal(err)
				}
				expected.Check(t, "cls_"+network, modelFeatures(t, m, expected, "x"))
				expected.Check(t, "cls_local_"+network, modelFeatures(t, m, expected, "x_local"))
			}
		})
	}
}

// modelFeatures are a model's features of images.
func modelFeatures(t *testing.T, m *Model, f *reference.File, images string) []float32 {
	t.Helper()
	return featuresOfImages(t, m, f.F32(t, images), f.Tensor(t, images).Shape...)
}

// checkOptimizer demands epoch, center, counts and moments exactly.
func (f officialFile) checkOptimizer(t *testing.T, w *weights.File, expected *reference.File) {
	exact := func(name string, x *weights.Tensor, err error) {
		t.Helper()
		if err != nil || x == nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		got := make([]float32, x.Len())
		if err := x.ReadF32(got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(gpu.F32Bytes(got), gpu.F32Bytes(expected.F32(t, name))) {
			t.Errorf("%s differs", name)
		}
	}
	if epoch := expected.I64(t, "epoch"); epoch[0] != int64(w.Training.Epoch) {
		t.Errorf("epoch %d, want %d", w.Training.Epoch, epoch[0])
	}
	exact("dino_loss/center", w.Center, nil)
	for _, x := range expected.Tensors() {
		rest, ok := strings.CutPrefix(x.Name, "optimizer/")
		if !ok {
			continue
		}
		number, key, _ := strings.Cut(rest, "/")
		i, err := strconv.Atoi(number)
		if err != nil || i >= len(f.AdamOrder) {
			t.Fatalf("%s: no such parameter", x.Name)
		}
		if key == "step" {
			if n, err := w.Training.Steps(f.AdamOrder[i]); err != nil || float64(n) != expected.F64(t, x.Name)[0] {
				t.Errorf("%s is %d (%v), want %v", x.Name, n, err, expected.F64(t, x.Name))
			}
			continue
		}
		moment, err := w.Training.Moment(f.AdamOrder[i], key, x.Shape)
		exact(x.Name, moment, err)
	}
}
