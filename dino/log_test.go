package dino

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogName)
	write := func(step int, entries ...LogEntry) string {
		t.Helper()
		l, err := OpenLog(path, step)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, e := range entries {
			if err := l.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	entry := func(epoch int) LogEntry {
		var m Means
		m.Add(2, 0.1, 0.04, 5, 1)
		m.Add(4, 0.3, 0.06, 7, 2)
		e := m.Entry()
		e.Epoch, e.Step = epoch, 10*(epoch+1)
		return e
	}
	whole := write(0, entry(0), entry(1), entry(2))
	var line map[string]any
	if err := json.Unmarshal([]byte(strings.SplitN(whole, "\n", 2)[0]), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"train_loss": 3.0, "train_lr": 0.2, "train_wd": 0.05, "epoch": 0.0, "step": 10.0, "teacher_entropy": 6.0, "kl": 1.5,
	} {
		if got, ok := line[key].(float64); !ok || math.Abs(got-want.(float64)) > 1e-15 {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if _, there := line["knn"]; there {
		t.Error("knn was not measured but is logged")
	}

	// Resumed at step 15, the run writes epoch 1 and 2 again.
	if got := write(15, entry(1), entry(2)); got != whole {
		t.Errorf("resumed log\n%s\nwant\n%s", got, whole)
	}
	// Any cut of the file loses whole lines only.
	for cut := range len(whole) {
		if err := os.WriteFile(path, []byte(whole[:cut]), 0o644); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(whole[:cut], "\n")
		if got := write(30); got != strings.Join(strings.SplitAfter(whole, "\n")[:lines], "") {
			t.Fatalf("cut at %d: kept %q", cut, got)
		}
	}
	// Foreign bytes end what is kept, however long they are.
	if err := os.WriteFile(path, []byte(whole+strings.Repeat("x", 3*maxLogLine)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := write(30); got != whole {
		t.Errorf("kept %d bytes of %d", len(got), len(whole))
	}
}

func TestNumber(t *testing.T) {
	nan := Number(math.NaN())
	b, err := json.Marshal(LogEntry{TrainLoss: nan, TrainLR: 0.25, KL: Number(math.Inf(1)), KNN: &nan})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"train_loss":null`, `"train_lr":0.25`, `"kl":null`, `"knn":null`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
}
