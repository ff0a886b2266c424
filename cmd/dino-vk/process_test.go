//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dino-vk/dino"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/gputest/again"
)

// asProgram in the environment makes the test binary dino-vk itself.
const asProgram = "DINOVK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	os.Setenv("DINOVK_TUNE", "0") // what tests compute follows from nothing else
	if os.Getenv(asProgram) != "" {
		os.Exit(program(os.Args, limitingFiles(os.Stdout)))
	}
	gputest.Main(m)
}

// process is a run of dino-vk in a process of its own.
type process struct {
	*exec.Cmd
	begun          time.Time
	ready          chan time.Time // when the first line was printed
	stdout, stderr bytes.Buffer
	ended          chan error
}

// start starts dino-vk with these arguments and additions to the environment.
func start(t *testing.T, environment []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: again.Command(context.Background(), t, args...), ready: make(chan time.Time, 1), ended: make(chan error, 1)}
	p.Env = append(append(os.Environ(), asProgram+"=1"), environment...)
	p.Stderr = &p.stderr
	p.Dir = t.TempDir() // so that nothing is written here by mistake
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.begun = time.Now()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ready)
		lines := bufio.NewReader(io.TeeReader(out, &p.stdout))
		if _, err := lines.ReadString('\n'); err == nil {
			p.ready <- time.Now()
		}
		_, err := io.Copy(io.Discard, lines)
		p.ended <- errors.Join(err, p.Wait())
	}()
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// wait waits for the end and returns the exit code, -1 after a signal.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	err := <-p.ended
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for _, bad := range []string{"panic", "goroutine", "SIGSEGV", "fatal error"} {
		if strings.Contains(p.stderr.String(), bad) {
			t.Errorf("%v\n%s", p.Args[1:], p.stderr.String())
		}
	}
	return p.ProcessState.ExitCode()
}

// succeed waits for the end, which must be a good one.
func (p *process) succeed(t *testing.T) {
	t.Helper()
	if code := p.wait(t); code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", p.Args[1:], code, p.stdout.String(), p.stderr.String())
	}
}

// photos writes a folder of small pictures of two classes.
func photos(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for _, class := range classes {
		if err := os.Mkdir(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		m := image.NewNRGBA(image.Rect(0, 0, 20, 17))
		for k := range m.Pix {
			m.Pix[k] = uint8(r.Uint32()) | uint8(k%4/3*255)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(photo(dir, i), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var classes = []string{"cat", "dog"}

// photo is the path of number i of photos.
func photo(dir string, i int) string {
	return filepath.Join(dir, classes[i%len(classes)], fmt.Sprintf("%02d.png", i))
}

// cut leaves the first part-th of a file.
func cut(t *testing.T, name string, part int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, b[:len(b)/part], 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// small are the arguments of a run of 60 steps, 12 an epoch, without --output.
func small(photos string, more ...string) []string {
	return append([]string{"train", "--data", photos, "--dim", "16", "--depth", "1", "--heads", "2", "--patch-size", "8",
		"--image-size", "16", "--local-size", "8", "--local-crops-number", "2", "--out-dim", "32", "--head-hidden-dim", "24",
		"--head-bottleneck-dim", "16", "--batch-size", "2", "--epochs", "5", "--warmup-epochs", "1", "--saveckp-freq", "2",
		"--checkpoint-every", "2", "--knn-every", "2"}, more...)
}

const smallPhotos = 25

// content are the parts of a run's folder that depend on the run alone: its
// checkpoints, and its log without what is measured by the clock.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		switch f.Name() {
		case dino.LogName:
			all[f.Name()] = timeless(t, b)
		case dino.ConfigName:
			all[f.Name()] = ""
		default:
			all[f.Name()] = string(b)
		}
	}
	return all
}

func timeless(t *testing.T, log []byte) string {
	t.Helper()
	var lines []byte
	for line := range bytes.Lines(log) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		delete(e, "images_per_s")
		delete(e, "memory")
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	return string(lines)
}

// same fails the test unless two runs left the same.
func same(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok || g != w {
			t.Errorf("%s differs or is missing", name)
			if name == dino.LogName {
				t.Errorf("log\n%swant\n%s", g, w)
			}
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

// doneSteps is the step of the checkpoint in dir, 0 without one.
func doneSteps(t *testing.T, dir string) int {
	t.Helper()
	ck, err := dino.OpenCheckpoint(filepath.Join(dir, dino.CheckpointName))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	} else if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	return ck.State.Step
}

// TestKill ends a run by SIGKILL again and again, at random moments of its
// start and of its training, and goes on: it must end as if nothing had been.
// DINOVK_KILLS says how often.
func TestKill(t *testing.T) {
	gputest.Open(t)
	kills := 3
	if s := os.Getenv("DINOVK_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("DINOVK_KILLS: %v", err)
		}
	}
	const seed = 2104_14294
	t.Logf("%d kills, seed %d", kills, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	args := small(photos(t, smallPhotos), "--drop-path-rate", "0.2", "--use-bn-in-head")

	whole := t.TempDir()
	p := start(t, nil, append(args, "--output", whole)...)
	ready := <-p.ready
	p.succeed(t)
	starting, training := ready.Sub(p.begun), time.Since(ready)
	want := content(t, whole)

	dir := t.TempDir()
	for killed := 0; killed < kills; {
		p := start(t, nil, append(args, "--output", dir)...)
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.Float64() * float64(starting)))
		} else {
			<-p.ready
			time.Sleep(time.Duration(random.Float64() * float64(training) / 2))
		}
		if err := p.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		after := time.Since(p.begun).Round(time.Millisecond)
		if p.wait(t) == 0 { // it was faster
			same(t, want, content(t, dir))
			dir = t.TempDir()
			continue
		}
		killed++
		t.Logf("kill %d after %v: the checkpoint is of step %d", killed, after, doneSteps(t, dir))
	}
	start(t, nil, append(args, "--output", dir)...).succeed(t)
	same(t, want, content(t, dir))
}

// TestInterrupt presses Ctrl-C in the middle.
func TestInterrupt(t *testing.T) {
	gputest.Open(t)
	args := small(photos(t, smallPhotos), "--accumulate", "2", "--epochs", "1000", "--checkpoint-every", "0")
	dir, whole := t.TempDir(), t.TempDir()
	p := start(t, nil, append(args, "--output", dir)...)
	<-p.ready
	time.Sleep(20 * time.Millisecond)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if out := p.stdout.String(); !strings.Contains(out, "interrupted: a checkpoint is in "+dir) || p.stderr.String() != "dino-vk: interrupted\n" {
		t.Errorf("printed\n%s%s", out, p.stderr.String())
	}
	step := doneSteps(t, dir)
	t.Logf("interrupted after step %d", step)
	end := strconv.Itoa(step + 9)
	p = start(t, nil, append(args, "--output", dir, "--max-steps", end)...)
	p.succeed(t)
	if out := p.stdout.String(); step > 0 && !strings.Contains(out, fmt.Sprintf("going on after step %d of %s", step, end)) {
		t.Errorf("printed\n%s", out)
	}
	start(t, nil, append(args, "--output", whole, "--max-steps", end)...).succeed(t)
	same(t, content(t, whole), content(t, dir))
}

// TestFullDisk lets files grow only to half a checkpoint.
func TestFullDisk(t *testing.T) {
	gputest.Open(t)
	args := append(small(photos(t, smallPhotos)), "--output", t.TempDir())
	dir := args[len(args)-1]
	start(t, nil, append(args, "--max-steps", "4")...).succeed(t)
	before := content(t, dir)
	half := len(before[dino.CheckpointName]) / 2
	p := start(t, []string{fileLimit + "=" + strconv.Itoa(half)}, args...)
	code := p.wait(t)
	message := p.stderr.String()
	if code != 1 || !strings.Contains(message, filepath.Join(dir, dino.CheckpointName)) || !strings.Contains(message, "checkpoint of step 6: write ") {
		t.Errorf("exit code %d\n%s", code, message)
	}
	after := content(t, dir)
	delete(before, dino.LogName) // the line of the part is gone, its epoch goes on
	delete(after, dino.LogName)
	same(t, before, after)
}

// TestErrors makes mistakes: each gives a clear message and exit code 1, or 2
// where the command line is wrong.
func TestErrors(t *testing.T) {
	pictures, empty := photos(t, smallPhotos), t.TempDir()
	broken := photos(t, 3)
	for i := range 3 {
		cut(t, photo(broken, i), 2)
	}
	file := filepath.Join(empty, "file")
	if err := os.WriteFile(file, []byte("\x00\x01no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	loader := t.TempDir()
	for _, name := range []string{"libvulkan.so.1", "libvulkan.so"} {
		if err := os.WriteFile(filepath.Join(loader, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	busy := t.TempDir()
	for _, test := range []struct {
		name        string
		device      bool // it takes one to get there
		code        int
		args        []string
		environment []string
		want        []string
	}{
		{"no data flag", false, 2, []string{"train"}, nil, []string{"--data is missing"}},
		{"no such data", false, 1, small(filepath.Join(empty, "none")), nil, []string{"none does not exist"}},
		{"no pictures", false, 1, small(empty), nil, []string{"no readable picture in " + empty}},
		{"not a picture", false, 1, small(file), nil, []string{file, "of no kind understood"}},
		{"all damaged", true, 1, small(broken, "--output", busy), nil, []string{"no readable picture", "all 3 failed", "00.png"}},
		{"few pictures", true, 1, small(pictures, "--batch-size", "26", "--output", busy), nil, []string{"25 pictures give no batch of 26"}},
		{"output under a file", true, 1, small(pictures, "--output", filepath.Join(file, "x")), nil, []string{file, "not a directory"}},
		{"unknown device", true, 1, small(pictures, "--device", "no-such-device"), nil, []string{"no-such-device"}},
		{"unknown flag", false, 2, small(pictures, "--bath-size", "3"), nil, []string{"bath-size"}},
		{"bad value", false, 2, small(pictures, "--lr", "fast"), nil, []string{`"fast" is not a number`}},
		{"bad setting", false, 2, small(pictures, "--patch-size", "17"), nil, []string{"--image-size 16"}},
		{"word", false, 2, small(pictures, "batch-size"), nil, []string{`no argument "batch-size"`}},
		{"no config", false, 1, small(pictures, "--config", filepath.Join(empty, "c.yaml")), nil, []string{"c.yaml"}},
		{"no driver", true, 1, small(pictures), []string{"VK_DRIVER_FILES=/nonexistent", "VK_ICD_FILENAMES=/nonexistent"},
			[]string{"no usable Vulkan device", "apt install mesa-vulkan-drivers"}},
		{"no loader", false, 1, small(pictures), []string{"LD_LIBRARY_PATH=" + loader}, []string{"no Vulkan loader", "apt install libvulkan1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.device {
				gputest.Open(t)
			}
			p := start(t, test.environment, test.args...)
			if test.name == "no loader" && len(p.Args) > 1+len(test.args) {
				t.Skipf("%s chooses the libraries, whatever LD_LIBRARY_PATH says", p.Path)
			}
			code := p.wait(t)
			message := p.stderr.String()
			if code != test.code || !strings.HasPrefix(message, "dino-vk: ") {
				t.Errorf("exit code %d, error\n%s", code, message)
			}
			for _, want := range test.want {
				if !strings.Contains(message, want) {
					t.Errorf("no %q in %q", want, message)
				}
			}
		})
	}
	if left, err := os.ReadDir(busy); err != nil || len(left) > 0 {
		t.Errorf("runs that never began left %v, %v", left, err)
	}
}

// TestTwoProcesses lets a second run into a folder that is in use.
func TestTwoProcesses(t *testing.T) {
	gputest.Open(t)
	args := small(photos(t, smallPhotos), "--epochs", "1000", "--output", t.TempDir())
	first := start(t, nil, args...)
	<-first.ready
	second := start(t, nil, args...)
	if code := second.wait(t); code != 1 || !strings.Contains(second.stderr.String(), "another run is writing to this folder") {
		t.Errorf("exit code %d\n%s", code, second.stderr.String())
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.wait(t)
	start(t, nil, append(args, "--max-steps", "1")...).succeed(t)
}

// TestNonFinite reads what people are told when a run blows up.
func TestNonFinite(t *testing.T) {
	gputest.Open(t)
	dir := t.TempDir()
	p := start(t, nil, small(photos(t, smallPhotos), "--lr", "1e20", "--warmup-epochs", "0", "--freeze-last-layer", "0", "--output", dir)...)
	code, message := p.wait(t), p.stderr.String()
	step := doneSteps(t, dir)
	if code != 1 || !strings.HasPrefix(message, fmt.Sprintf("dino-vk: step %d: the loss or a gradient is not finite; the checkpoint in %s", step+1, dir)) {
		t.Errorf("exit code %d\n%s", code, message)
	}
}

// TestSkipped damages pictures: each is named once and counted, and the run
// goes on.
func TestSkipped(t *testing.T) {
	gputest.Open(t)
	pictures, queries, dir := photos(t, smallPhotos), photos(t, 6), t.TempDir()
	cut(t, photo(pictures, 3), 2)     // found when it is decoded
	cut(t, photo(pictures, 4), 1<<20) // found when the set is opened
	cut(t, photo(queries, 3), 2)      // found by k-NN
	cut(t, photo(queries, 0), 1<<20)
	p := start(t, nil, small(pictures, "--knn-test", queries, "--knn-every", "1", "--epochs", "3", "--output", dir)...)
	p.succeed(t)
	var lines []string
	for line := range strings.Lines(p.stdout.String()) {
		if strings.HasPrefix(line, "skipped: ") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 4 {
		t.Errorf("%d pictures are named:\n%s", len(lines), strings.Join(lines, ""))
	}
	for _, start := range []string{"dog/03.png", "cat/04.png", queries + ": dog/03.png", queries + ": cat/00.png"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "skipped: "+start) }) {
			t.Errorf("%s is not named:\n%s", start, strings.Join(lines, ""))
		}
	}
	if log := content(t, dir)[dino.LogName]; strings.Count(log, "\"skipped\":4") < 1 || strings.Count(log, "\"knn\":") != 3 {
		t.Errorf("log\n%s", log)
	}
}
