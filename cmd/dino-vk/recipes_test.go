package main

import (
	"path/filepath"
	"strings"
	"testing"

	"dino-vk/dino"
	"dino-vk/gpu/gputest"
)

// Flags and the file win over the recipe, wherever they stand.
func TestRecipeFlag(t *testing.T) {
	file := writeConfig(t, "epochs: 7\nwarmup-epochs: 0\nwarmup-teacher-temp-epochs: 0\n")
	for _, c := range []struct {
		args   string
		epochs int
		temp   float64
	}{
		{"--recipe vit-s16-boosted", 300, 0.07},
		{"--recipe vit-s16-boosted --config " + file, 7, 0.07},
		{"--config " + file + " --teacher-temp 0.05 --recipe vit-s16-boosted", 7, 0.05},
		{"--epochs 100 --recipe vit-s16-boosted", 100, 0.07},
	} {
		got, err := parse(t, strings.Fields(c.args)...)
		if err != nil || got.Epochs != c.epochs || got.TeacherTemp != c.temp || got.NormLastLayer || got.Accumulate != 16 {
			t.Errorf("%s: %v, error %v", c.args, dino.Diff(dino.DefaultConfig(), got), err)
		}
	}
}

// The list names every setting of a recipe that differs from the default, with
// its value.
func TestRecipesCommand(t *testing.T) {
	text, _, err := execute(t, "recipes")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, "\n\n")
	if len(parts) != len(dino.Recipes) {
		t.Fatalf("%d recipes in\n%s", len(parts), text)
	}
	for i, r := range dino.Recipes {
		if !strings.HasPrefix(parts[i], r.Name+": "+r.About+"\n") {
			t.Errorf("%s: %q", r.Name, parts[i])
		}
		c, _ := r.Configure(1000, nil)
		lines := map[string]string{}
		for line := range strings.Lines(parts[i]) {
			if words := strings.Fields(line); strings.HasPrefix(words[0], "--") {
				lines[words[0]] = line
			}
		}
		for _, d := range dino.Diff(dino.DefaultConfig(), c) {
			if line := lines["--"+d.Flag]; !strings.Contains(line, "  "+d.New+" ") || !strings.Contains(line, d.Old) {
				t.Errorf("%s: %v, got %q", r.Name, d, line)
			}
		}
	}
}

// A run of the recipe auto takes its settings from the number of pictures,
// stores them, and goes on with them, by the recipe or by its config.yaml.
func TestAutoRun(t *testing.T) {
	gputest.Open(t) // skips without a device
	out := filepath.Join(t.TempDir(), "run")
	auto := strings.Fields("train --recipe auto --data shapes:train:n=40 --image-size 16 --local-size 8 --local-crops-number 1 --patch-size 8" +
		" --dim 16 --depth 1 --heads 2 --head-hidden-dim 16 --head-bottleneck-dim 8 --batch-size 8 --epochs 10 --knn-every 0 --output " + out)
	if text, _, err := execute(t, append(auto, "--max-steps", "2")...); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	ck, err := dino.OpenCheckpoint(filepath.Join(out, dino.CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	if err := ck.Close(); err != nil {
		t.Fatal(err)
	}
	if c := ck.State.Config; c.OutDim != 1024 || c.TeacherTemp != 0.02 || c.MomentumTeacher != 0.99 || c.WarmupTeacherTempEpochs != 3 || c.WarmupEpochs != 1 {
		t.Errorf("%v", dino.Diff(dino.DefaultConfig(), c))
	}
	for i, args := range [][]string{
		append(auto, "--max-steps", "3"),
		{"train", "--config", filepath.Join(out, dino.ConfigName), "--max-steps", "4"},
	} {
		text, _, err := execute(t, args...)
		if want := []string{"going on after step 2 of 3", "going on after step 3 of 4"}[i]; err != nil || !strings.Contains(text, want) {
			t.Errorf("%q: error %v, no %q in\n%s", args, err, want, text)
		}
	}
	if _, _, err := execute(t, append(auto, "--epochs", "20")...); err == nil || !strings.Contains(err.Error(), "--warmup-teacher-temp-epochs 6 (was 3)") {
		t.Errorf("other settings: %v", err)
	}
}
