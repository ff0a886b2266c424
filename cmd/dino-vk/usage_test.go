package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// Every mistake in a command line is told in one line, with what was meant
// where that can be guessed, and ends the program with 2.
func TestUsageErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"tran", `unknown command "tran"; did you mean train? (see dino-vk --help)`},
		{"xyzzy", `unknown command "xyzzy" (see dino-vk --help)`},
		{"data crop", `unknown command "crop"; did you mean crops? (see dino-vk data --help)`},
		{"--verbose", `unknown flag --verbose (see dino-vk --help)`},
		{"train --epoch 3", `unknown flag --epoch; did you mean --epochs? (see dino-vk train --help)`},
		{"train --batch_size_per_gpu 3", `unknown flag --batch_size_per_gpu; did you mean --batch-size? (see dino-vk train --help)`},
		{"train --out_dim 3", `unknown flag --out_dim; did you mean --out-dim? (see dino-vk train --help)`},
		{"train --local-crops-num 3", `unknown flag --local-crops-num; did you mean --local-crops-number? (see dino-vk train --help)`},
		{"train --seed", `--seed needs a value (see dino-vk train --help)`},
		{"train --seed -1", `--seed: "-1" is not a whole number from 0 (see dino-vk train --help)`},
		{"train --norm-last-layer=maybe", `--norm-last-layer: "maybe" is not true or false (see dino-vk train --help)`},
		{"train help", `dino-vk train takes no argument "help" (see dino-vk train --help)`},
		{"train --lr -1", `--lr -1: must be above 0 (see dino-vk train --help)`},
		{"train --recipe vit-s16", `--recipe vit-s16: unknown; use one of ` + strings.Join(recipeNames(), ", ") + ` (see dino-vk train --help)`},
		{"recipes auto", `dino-vk recipes takes no argument "auto" (see dino-vk recipes --help)`},
		{"attention", `--checkpoint is missing (see dino-vk attention --help)`},
		{"attention --checkpoint x --output y --limit many", `--limit: "many" is not a whole number (see dino-vk attention --help)`},
		{"attention --checkpoint x --output y --limit -1", `--limit -1: must be at least 0 (see dino-vk attention --help)`},
		{"features --checkpoint x --data y --output z.txt", `--output z.txt: the extension must be one of .safetensors, .npy, .csv (see dino-vk features --help)`},
		{"data crops --data x --output y.jpg", `--output y.jpg: the file's name must end in .png (see dino-vk data crops --help)`},
		{"eval knn --temperature warm", `--temperature: "warm" is not a number (see dino-vk eval knn --help)`},
		{"eval knn --nb-knn ten", `--nb-knn: "ten" is not a whole number (see dino-vk eval knn --help)`},
		{"completion tcsh", `name one shell of bash, zsh, fish (see dino-vk completion --help)`},
	} {
		stdout, _, err := execute(t, strings.Fields(c.args)...)
		if err == nil || err.Error() != c.want || exitCode(err) != 2 {
			t.Errorf("%s: exit code %d, error\n%v\nwant\n%s", c.args, exitCode(err), err, c.want)
		}
		if stdout != "" {
			t.Errorf("%s: printed %q", c.args, stdout)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("disk full"), 1},
		{fmt.Errorf("read: %w", context.Canceled), 130},
		{fmt.Errorf("train: %w", &usageError{errors.New("wrong"), "train"}), 2},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"train", "train", 0}, {"tarin", "train", 2},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Every command's help names all of its flags, keeps to the page's width, and
// is the same by --help, -h and the word help.
func TestHelp(t *testing.T) {
	var walk func(path []string, commands []*cli.Command)
	walk = func(path []string, commands []*cli.Command) {
		for _, c := range commands {
			if c.Hidden {
				continue
			}
			path := append(slices.Clone(path), c.Name)
			name := strings.Join(path, " ")
			text, _, err := execute(t, append(path, "--help")...)
			if err != nil {
				t.Errorf("%s --help: %v", name, err)
			}
			for _, args := range [][]string{append(slices.Clone(path), "-h"), append([]string{"help"}, path...)} {
				if other, _, err := execute(t, args...); err != nil || other != text {
					t.Errorf("%q: error %v, text\n%s", args, err, other)
				}
			}
			for _, f := range c.Flags {
				if !strings.Contains(text, "  --"+f.Names()[0]) {
					t.Errorf("%s --help: no --%s", name, f.Names()[0])
				}
			}
			for line := range strings.Lines(text) {
				if utf8.RuneCountInString(line) > 101 || strings.Contains(line, "`") {
					t.Errorf("%s --help: line %q", name, line)
				}
			}
			walk(path, c.Subcommands)
		}
	}
	walk(nil, app().Commands)
}

// The program without arguments shows the commands under their categories.
func TestNoArguments(t *testing.T) {
	text, _, err := execute(t)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"Usage: dino-vk command", "Train:", "  train", "Look at what was learned:", "  attention", "Pictures:", "  data", "This machine:", "  devices"} {
		next := strings.Index(text[at:], want)
		if next < 0 {
			t.Fatalf("no %q after %q in\n%s", want, text[:at], text)
		}
		at += next
	}
	if strings.Contains(text, completeCommandName) {
		t.Error("the hidden command is shown")
	}
}
