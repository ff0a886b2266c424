package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dino-vk/gpu/gputest"
)

// A run leaves in every format, and what other programs would read gives the
// same features; the reference's checkpoint becomes a run again.
func TestExportImportCommands(t *testing.T) {
	gputest.Open(t)
	dir := t.TempDir()
	pictures, run := photos(t, 8), filepath.Join(dir, "run")
	must := func(args ...string) string {
		t.Helper()
		stdout, stderr, err := execute(t, args...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		}
		return stdout
	}
	train := small(pictures, "--epochs", "2", "--saveckp-freq", "1", "--output", run)
	must(train...)
	features := func(checkpoint string) string {
		t.Helper()
		output := filepath.Join(t.TempDir(), "features.csv")
		must("features", "--checkpoint", checkpoint, "--heads", "2", "--data", pictures, "--image-size", "16", "--output", output)
		text, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := features(run)
	exported := func(name string, more ...string) string {
		t.Helper()
		output := filepath.Join(dir, name)
		if stdout := must(append([]string{"export", "--checkpoint", run, "--output", output}, more...)...); !strings.HasPrefix(stdout, output+": ") {
			t.Errorf("printed %q", stdout)
		}
		return output
	}
	for _, file := range []string{
		exported("backbone.safetensors"), exported("backbone.pth"), exported("timm", "--format", "timm"),
		exported("huggingface", "--format", "huggingface"), exported("checkpoint.pth", "--format", "checkpoint"),
	} {
		if got := features(file); got != want {
			t.Errorf("the features of %s differ", file)
		}
	}
	exported("backbone.onnx")

	first := filepath.Join(run, "checkpoint0000.safetensors")
	saved, again := filepath.Join(dir, "first.pth"), filepath.Join(dir, "again")
	must("export", "--checkpoint", first, "--format", "checkpoint", "--output", saved)
	arguments := append([]string{"import", saved}, small(pictures, "--epochs", "2", "--output", again)[1:]...)
	if stdout := must(arguments...); !strings.Contains(stdout, "after epoch 1 of 2") {
		t.Errorf("printed %q", stdout)
	}
	if stdout := must("train", "--config", filepath.Join(again, "config.yaml")); !strings.Contains(stdout, "going on after step") {
		t.Errorf("printed %q", stdout)
	}
	if got := features(again); got != want {
		t.Error("a run that left and came back ended otherwise")
	}
}

func TestExportImportMistakes(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.pth")
	if err := os.WriteFile(damaged, []byte("PK\x03\x04 no zip"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"export"}, "--checkpoint is missing"},
		{[]string{"export", "--checkpoint", damaged}, "--output is missing"},
		{[]string{"export", "--checkpoint", damaged, "--output", "x"}, "give --format, one of safetensors, pth"},
		{[]string{"export", "--checkpoint", damaged, "--output", "x", "--format", "tflite"}, "--format tflite: unknown"},
		{[]string{"export", "--checkpoint", damaged, "--output", "x.pth"}, "not a whole file of torch.save"},
		{[]string{"features", "--checkpoint", damaged, "--data", dir, "--output", "x.csv"}, "not a whole file of torch.save"},
		{[]string{"import"}, "name one file"},
		{[]string{"import", damaged}, "--output is missing"},
		{[]string{"import", damaged, "--output", dir}, "not a whole file of torch.save"},
		{[]string{"import", filepath.Join(dir, "nowhere.pth"), "--output", dir}, "nowhere.pth"},
		{[]string{"import", "--output", dir, damaged, "--epochs", "3"}, "name one file"},
	} {
		if _, _, err := execute(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: want %q, got %v", c.args, c.want, err)
		}
	}
}
