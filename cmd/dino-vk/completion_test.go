package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/gpu/gputest/again"
)

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		words []string // the last one is being typed
		want  []string
	}{
		{[]string{"tr"}, []string{"train"}},
		{[]string{"data", "cr"}, []string{"crops"}},
		{[]string{"data", "crops", "--loc"}, []string{"--local-size", "--local-crops-number", "--local-crops-scale"}},
		{[]string{"train", "--local-size", "3", "--loc"}, []string{"--local-crops-number", "--local-crops-scale"}},
		{[]string{"train", "--arch", "vit_t"}, []string{"vit_tiny"}},
		{[]string{"train", "--recipe", "vit-b"}, []string{"vit-b16", "vit-b8"}},
		{[]string{"train", "--optimizer", ""}, []string{"adamw", "sgd", "lars"}},
		{[]string{"train", "--norm-last-layer", "--arch", "vit_t"}, []string{"vit_tiny"}},
		{[]string{"train", "--data", ""}, nil}, // file names
		{[]string{"train", "--output", "data", "--accu"}, []string{"--accumulate"}},
		{[]string{"attention", "--network", ""}, []string{"teacher", "student"}},
		{[]string{"export", "--format", "t"}, []string{"timm"}},
		{[]string{"devices", "--"}, []string{"--help"}},
		{[]string{"--h"}, []string{"--help"}},
	} {
		last := len(c.words) - 1
		var got []string
		for _, r := range complete(app().Commands, c.words[:last], c.words[last]) {
			got = append(got, r.name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}

// The script runs in bash and finds what the program offers.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	self := filepath.Join(t.TempDir(), "dino-vk")
	start := fmt.Sprintf("#!%s\nexec %s \"$@\"\n", bash, strings.Join(again.Command(t.Context(), t).Args, " "))
	if err := os.WriteFile(self, []byte(start), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"dev"}, "devices\n"},
		{[]string{"data", "i"}, "inspect\n"},
		{[]string{"train", "--data", "a folder's name", "--checkp"}, "--checkpoint-every\n"},
		{[]string{"train", "--arch", ""}, "vit_tiny\nvit_small\nvit_base\nresnet18\nresnet34\nresnet50\nresnet101\n"},
		{[]string{"features", "--data", ""}, ""},
	} {
		script := `source <("$PROGRAM" completion bash)
COMP_WORDS=("$PROGRAM" "$@"); COMP_CWORD=$#
_dino_vk
for reply in "${COMPREPLY[@]}"; do echo "$reply"; done`
		cmd := exec.Command(bash, append([]string{"-c", script, "bash"}, c.words...)...)
		cmd.Env = append(os.Environ(), asProgram+"=1", "PROGRAM="+self)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("%q: %q, want %q, error %v", c.words, out, c.want, err)
		}
	}
}

// What the shells are told of a word is parted from it by a tab.
func TestCompleteCommand(t *testing.T) {
	out, _, err := execute(t, completeCommandName, "attention", "--network", "t")
	if err != nil || out != "teacher\n" {
		t.Errorf("%q, error %v", out, err)
	}
	out, _, err = execute(t, completeCommandName, "dev")
	if word, meaning, ok := strings.Cut(out, "\t"); err != nil || !ok || word != "devices" || len(meaning) < 5 {
		t.Errorf("%q, error %v", out, err)
	}
}
